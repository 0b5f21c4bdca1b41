"""The checkpoint hash: which tensors these are, however they are laid out in files."""

import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.exceptions import StudentError
from llm2llm.ids import canonical_json

_CHUNK = 1 << 22
# The longest header that the safetensors reference implementation accepts.
_MAX_HEADER = 100_000_000


@dataclass(frozen=True, slots=True)
class _Tensor:
    path: Path
    dtype: str
    shape: list[int]
    start: int
    end: int


def checkpoint_sha256(folder: Path) -> str:
    """Hash the names, dtypes, shapes and bytes of all tensors in a folder's safetensors files.

    Tensors are taken by name: sharding, order and metadata of the files do not count.
    Raises StudentError where there is no such file, or one is damaged.
    """
    tensors: dict[str, _Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        for name, tensor in _tensors(path):
            if name in tensors:
                raise StudentError(
                    f"{path}: tensor {name} is in {tensors[name].path.name} too, expected it once;"
                    " remove the file that does not belong to this checkpoint"
                )
            tensors[name] = tensor
    if not tensors:
        raise StudentError(f"{folder}: found no tensors, expected *.safetensors files with weights")
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        n_bytes = tensor.end - tensor.start
        digest.update(canonical_json([name, tensor.dtype, tensor.shape, n_bytes]).encode() + b"\n")
        for chunk in _chunks(tensor):
            digest.update(chunk)
    return digest.hexdigest()


def tensor_shapes(folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Read names and shapes of all tensors in a folder from the headers of its files."""
    for path in sorted(folder.glob("*.safetensors")):
        for name, tensor in _tensors(path):
            yield name, tensor.shape


def _chunks(tensor: _Tensor) -> Iterator[bytes]:
    left = tensor.end - tensor.start
    with tensor.path.open("rb") as stream:
        stream.seek(tensor.start)
        while left:
            chunk = stream.read(min(left, _CHUNK))
            left -= len(chunk)
            yield chunk


def _tensors(path: Path) -> Iterator[tuple[str, _Tensor]]:
    """Read the header: 8 bytes of length, then JSON; the tensors' offsets count from its end."""
    size = path.stat().st_size
    with path.open("rb") as stream:
        prefix = stream.read(8)
        length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else size
        if length > min(size - 8, _MAX_HEADER):
            raise _damaged(path, f"a file of {size} bytes cannot hold its header")
        try:
            header: dict[str, Any] = json.loads(stream.read(length))
        except ValueError as failure:
            raise _damaged(path, f"the header is not JSON ({failure})") from None
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = (8 + length + offset for offset in entry["data_offsets"])
        if not 8 + length <= start <= end <= size:
            raise _damaged(path, f"tensor {name} ends at byte {end} of {size}")
        yield name, _Tensor(path, entry["dtype"], entry["shape"], start, end)


def _damaged(path: Path, found: str) -> StudentError:
    return StudentError(
        f"{path}: {found}, expected a complete safetensors file; fetch or make it again"
    )
