"""Say why DVC cannot read a lock file of its own, and whether a crash left it so."""

from dataclasses import dataclass
from pathlib import Path

import yaml

LOCKS = (Path("dvc.lock"), Path("stages/dvc.lock"))
_MARKERS = ("<<<<<<< ", ">>>>>>> ")
_DELETE = "`llm2llm doctor --fix` deletes it"


@dataclass(frozen=True, slots=True)
class LockProblem:
    """What is wrong, and how it is mended; only what a crash left may be deleted."""

    what: str
    mend: str
    by_crash: bool


def lock_problem(path: Path) -> LockProblem | None:
    """Look at a lock file; null: DVC can read it, or it is not there."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as failure:
        return LockProblem(
            f"cannot be read: {failure.strerror}",
            f"`ls -l {path}` says whose it is",
            by_crash=False,
        )
    if any(line.startswith(_MARKERS) for line in text.splitlines()):
        return LockProblem("has conflict markers of git", "resolve them", by_crash=False)
    if not text.strip():
        return LockProblem("empty, left by a crash", _DELETE, by_crash=True)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        loaded = yaml.load(text, loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError:
        return LockProblem("not YAML, cut short by a crash", _DELETE, by_crash=True)
    if not isinstance(loaded, dict) or not isinstance(loaded.get("stages"), dict):
        return LockProblem("no stages in it, cut short by a crash", _DELETE, by_crash=True)
    return None
