"""Answers that were bought before: say so instead of paying for them a second time."""

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from llm2llm.exceptions import TeacherError


def refuse_to_pay_again(stage: str, lock: Path, n_missing: int) -> None:
    """Stop where dvc.lock lists a stage's output for these same inputs, though it is not here.

    DVC runs such a stage only when its caches lack the output, as on a clone. Called when the
    ledger lacks `n_missing` requests too. `lock` is the loop's, in a folder of the project.
    """
    if is_listed(stage, lock, lock.parent.parent):
        raise TeacherError(
            f"{lock} lists the output of {stage} for these very inputs, but neither DVC's cache"
            f" nor the ledger has it: {n_missing} requests would be paid a second time. Get it"
            " with `dvc pull`, or set `runtime.pay_again: true` to pay again"
        )


def is_listed(stage: str, lock: Path, root: Path) -> bool:
    """Say whether dvc.lock lists outputs of a stage for the files and params as they are now.

    The paths in it are relative to `root`.
    """
    try:
        loaded = yaml.safe_load(lock.read_bytes())
    except FileNotFoundError:
        return False
    entry = _at(loaded, ("stages", stage))
    if not isinstance(entry, dict) or not entry.get("outs"):
        return False
    # Folders last: they are models, which take time to hash.
    deps = sorted(entry.get("deps", []), key=lambda dep: (root / dep["path"]).is_dir())
    return all(
        _has_params(root / file, values) for file, values in entry.get("params", {}).items()
    ) and all(_is_same(root / dep["path"], dep) for dep in deps)


def _is_same(path: Path, dep: dict[str, Any]) -> bool:
    if path.is_dir():
        return _md5_of_folder(path) == dep.get("md5")
    return path.is_file() and _md5(path) == dep.get("md5")


def _md5_of_folder(folder: Path) -> str:
    """Hash a folder as DVC does: by the names and hashes of its files, in the names' order."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    named = sorted((path.relative_to(folder).as_posix(), path) for path in files)
    listed = [{"md5": _md5(path), "relpath": name} for name, path in named]
    text = json.dumps(listed, sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _has_params(path: Path, values: dict[str, Any]) -> bool:
    if not path.is_file():
        return False
    loaded = yaml.safe_load(path.read_bytes())
    return all(_at(loaded, tuple(name.split("."))) == value for name, value in values.items())


def _at(tree: Any, names: tuple[str, ...]) -> Any:
    for name in names:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree
