"""Compare a stage's entry in dvc.lock with what lies there now; takes no lock of DVC.

Formats: DVC 3's dvc.lock, and the `.dir` hash of a folder, which is the MD5 of its listing.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from llm2llm.ids import sha256_json

# Larger files are compared by size alone, so that the answer comes at once.
_HASHED_BYTES = 8 << 20
_PIPELINES = ("dvc.yaml", "stages/dvc.yaml")


class Locked:
    """What DVC recorded of each stage, by name as `dvc repro` says it, and what lies there."""

    def __init__(self, root: Path) -> None:
        """Read both lock files; one that is missing or cut short records nothing."""
        self._root = root
        self._stages: dict[str, dict[str, Any]] = {}
        for name in _PIPELINES:
            self._stages |= _stages(root / name.replace(".yaml", ".lock"))
        self._yaml: dict[Path, Any] = {}
        self._hashes: dict[str, str | None] = {}

    def __bool__(self) -> bool:
        """Say whether anything is recorded."""
        return bool(self._stages)

    def fingerprints(self, stage: str) -> tuple[str, str] | None:
        """Hash what is recorded of a stage's code, and of its params; null: nothing is."""
        entry = self._stages.get(stage)
        if entry is None:
            return None
        deps = [(dep["path"], dep.get("md5")) for dep in entry.get("deps") or ()]
        code = sorted([path, md5] for path, md5 in deps if str(path).endswith(".py"))
        return sha256_json(code), sha256_json(entry.get("params") or {})

    def changed(self, stage: str) -> str | None:
        """Say what is no longer as recorded of a stage that has its output; null: all of it is.

        That a stage's list of params has grown counts too. A stage of which nothing is recorded
        was not run by DVC, and cannot be compared.
        """
        entry = self._stages.get(stage)
        if entry is None:
            return None
        for file, values in (entry.get("params") or {}).items():
            now = self._values(file)
            for key, value in values.items():
                if _at(now, key) != value:
                    return f"{file}: {key}"
        for dep in (*(entry.get("deps") or ()), *(entry.get("outs") or ())):
            if not self._same(dep):
                return str(dep["path"])
        return self._new_param(stage, entry)

    def _new_param(self, stage: str, entry: Mapping[str, Any]) -> str | None:
        name = stage.partition("@")[0]
        recorded = (entry.get("params") or {}).get("params.yaml") or {}
        for pipeline in _PIPELINES:
            declared = (self._values(pipeline).get("stages") or {}).get(name) or {}
            for param in declared.get("do", declared).get("params") or ():
                if isinstance(param, str) and param not in recorded:
                    return f"params.yaml: {param}"
        return None

    def _values(self, file: str) -> Any:
        path = self._root / file
        if path not in self._yaml:
            self._yaml[path] = _load(path)
        return self._yaml[path]

    def _same(self, recorded: Mapping[str, Any]) -> bool:
        path = self._root / recorded["path"]
        size = recorded.get("size")
        if not path.exists():
            return False
        if size is None or size > _HASHED_BYTES:
            return size is None or _size(path) == size
        if recorded["path"] not in self._hashes:
            self._hashes[recorded["path"]] = _md5(path)
        return self._hashes[recorded["path"]] == recorded.get("md5")


def _stages(lock: Path) -> dict[str, dict[str, Any]]:
    loaded = _load(lock)
    stages = loaded.get("stages") if isinstance(loaded, dict) else None
    return stages if isinstance(stages, dict) else {}


def _load(path: Path) -> Any:
    """Read YAML as fast as may be; what cannot be read is an empty mapping."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return yaml.load(path.read_text(encoding="utf-8"), loader) or {}  # noqa: S506 - a safe loader
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}


def _at(values: Any, key: str) -> Any:
    """Look a dotted key up; a list's places are written in brackets."""
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(values, Mapping) and part in values:
            values = values[part]
        else:
            return None
    return values


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _size(path: Path) -> int:
    files = _files(path) if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)


def _md5(path: Path) -> str | None:
    if not path.is_dir():
        return _digest(path.read_bytes())
    if _size(path) > _HASHED_BYTES:
        return None  # of another size than recorded
    rows = [
        {"md5": _digest(file.read_bytes()), "relpath": file.relative_to(path).as_posix()}
        for file in _files(path)
    ]
    rows.sort(key=lambda row: row["relpath"])
    return _digest(json.dumps(rows, sort_keys=True).encode()) + ".dir"


def _digest(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
