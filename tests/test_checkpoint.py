"""The checkpoint hash names tensors, not files."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from llm2llm.exceptions import StudentError
from llm2llm.student.checkpoint import checkpoint_sha256

TENSORS = {
    "b.weight": np.arange(12, dtype=np.float32).reshape(3, 4),
    "a.weight": np.arange(6, dtype=np.int64),
    "c.scale": np.array([], dtype=np.float16),
}


def saved(folder: Path, *shards: dict[str, np.ndarray], **metadata: str) -> Path:
    """Save tensors as the shards of one checkpoint."""
    folder.mkdir()
    for number, shard in enumerate(shards):
        save_file(shard, folder / f"model-{number}.safetensors", metadata=metadata or None)
    return folder


@settings(deadline=None, max_examples=25)
@given(parts=st.lists(st.integers(0, 2), min_size=3, max_size=3), note=st.text(max_size=5))
def test_sharding_and_metadata_do_not_count(
    tmp_path_factory: pytest.TempPathFactory, parts: list[int], note: str
) -> None:
    """However the tensors lie in files, the hash is the same."""
    folder = tmp_path_factory.mktemp("layouts")
    shards: list[dict[str, np.ndarray]] = [{}, {}, {}]
    for part, (name, tensor) in zip(parts, TENSORS.items(), strict=True):
        shards[part][name] = tensor
    one = saved(folder / "one", TENSORS)
    other = saved(folder / "other", *(shard for shard in shards if shard), note=note)
    assert checkpoint_sha256(one) == checkpoint_sha256(other)


def test_the_order_in_the_file_does_not_count(tmp_path: Path) -> None:
    """A file written by hand, its tensors in another order, has the same hash."""
    one = saved(tmp_path / "one", TENSORS)
    other = tmp_path / "other"
    other.mkdir()
    header, body = {}, b""
    dtypes = {"float32": "F32", "int64": "I64", "float16": "F16"}
    for name in ("c.scale", "b.weight", "a.weight"):
        tensor = TENSORS[name]
        header[name] = {
            "dtype": dtypes[str(tensor.dtype)],
            "shape": list(tensor.shape),
            "data_offsets": [len(body), len(body) + tensor.nbytes],
        }
        body += tensor.tobytes()
    text = json.dumps(header).encode()
    (other / "x.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + body)
    assert checkpoint_sha256(one) == checkpoint_sha256(other)


@pytest.mark.parametrize(
    "changed",
    [
        TENSORS | {"a.weight": np.arange(6, dtype=np.int64)[::-1].copy()},
        TENSORS | {"a.weight": TENSORS["a.weight"].reshape(2, 3)},
        TENSORS | {"a.weight": TENSORS["a.weight"].view(np.float64)},
        TENSORS | {"d.empty": np.array([], dtype=np.float32)},
        {f"x.{name}": tensor for name, tensor in TENSORS.items()},
    ],
    ids=["bytes", "shape", "dtype", "one more", "names"],
)
def test_what_a_tensor_is_counts(tmp_path: Path, changed: dict[str, np.ndarray]) -> None:
    """Another byte, shape, dtype, name or tensor gives another hash."""
    one, other = saved(tmp_path / "one", TENSORS), saved(tmp_path / "other", changed)
    assert checkpoint_sha256(one) != checkpoint_sha256(other)


def test_damage_is_named(tmp_path: Path) -> None:
    """A file cut short, one that is no safetensors file, and none at all are StudentErrors."""
    cut = saved(tmp_path / "cut", TENSORS) / "model-0.safetensors"
    cut.write_bytes(cut.read_bytes()[:-1])
    with pytest.raises(StudentError, match=r"tensor .* ends at byte"):
        checkpoint_sha256(cut.parent)
    cut.write_bytes(b"\xff" * 100)
    with pytest.raises(StudentError, match="cannot hold its header"):
        checkpoint_sha256(cut.parent)
    cut.write_bytes(struct.pack("<Q", 5) + b"{nope" + b"." * 20)
    with pytest.raises(StudentError, match="not JSON"):
        checkpoint_sha256(cut.parent)
    cut.unlink()
    with pytest.raises(StudentError, match="no tensors"):
        checkpoint_sha256(cut.parent)


def test_a_tensor_in_two_files_is_refused(tmp_path: Path) -> None:
    """Leftovers of another checkpoint in the folder do not pass unseen."""
    with pytest.raises(StudentError, match=r"a\.weight is in model-0"):
        checkpoint_sha256(saved(tmp_path / "twice", TENSORS, {"a.weight": TENSORS["a.weight"]}))
