"""Content hashes: equal content, equal id, on every machine."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]

_CHUNK = 1 << 20


def canonical_json(value: Json) -> str:
    """Write a value as JSON with sorted keys, no spaces and no escapes; NaN is refused."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def sha256_json(value: Json) -> str:
    """Hash the canonical JSON of a value; 64 hex digits."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """Hash the bytes of a file; 64 hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def example_id(input_text: str, target: str) -> str:
    """Name an example by its content: `ex-` and 16 hex digits (64 bits) of its hash."""
    return "ex-" + sha256_json([input_text, target])[:16]
