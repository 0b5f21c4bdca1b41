"""`llm2llm doctor`: what may block a run after a crash, and what the machine lacks."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from llm2llm.exceptions import MachineError

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Fix = Annotated[bool, typer.Option("--fix", help="delete the files that block DVC")]

_LOCKS = (Path("dvc.lock"), Path("stages/dvc.lock"))
_RWLOCK = Path(".dvc/tmp/rwlock")
_PACKAGES = ("dvc", "torch", "transformers", "peft", "accelerate", "openai", "matplotlib")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; `blocks` names the file whose deletion mends it, if any."""

    what: str
    mend: str
    blocks: str | None


def doctor(fix: Fix = False, json_: Json = False) -> None:
    """Find what blocks a run: DVC's locks after a crash, missing packages, a full disk.

    Deleting what `--fix` deletes loses nothing: DVC's run-cache restores every finished stage.

    Example: llm2llm doctor --fix
    """
    findings = list(examine(Path()))
    fixed = []
    if fix:
        for finding in findings:
            if finding.blocks is not None:
                Path(finding.blocks).unlink(missing_ok=True)
                fixed.append(finding.blocks)
        findings = list(examine(Path()))
    if json_:
        print(json.dumps({"findings": [asdict(f) for f in findings], "fixed": fixed}, indent=2))
    else:
        for name in fixed:
            print(f"deleted {name}; `dvc repro` goes on")
        for finding in findings:
            print(f"problem: {finding.what}; {finding.mend}")
        if not findings:
            print("nothing blocks a run here")
    if findings:
        raise typer.Exit(MachineError.exit_code)


def examine(root: Path) -> Iterator[Finding]:
    """Yield every finding in the project folder `root`."""
    if not (root / ".dvc").is_dir():
        yield Finding("this folder is no DVC project", "run it in the project's root", None)
        return
    for path in _LOCKS:
        problem = _lock_problem(root / path)
        if problem:
            yield Finding(f"{path}: {problem}", "`llm2llm doctor --fix` deletes it", str(path))
    problem = _rwlock_problem(root / _RWLOCK)
    if problem:
        yield Finding(f"{_RWLOCK}: {problem}", "`llm2llm doctor --fix` deletes it", str(_RWLOCK))
    for name in _PACKAGES:
        try:
            version(name)
        except PackageNotFoundError:
            yield Finding(f"package {name} is not installed", "`make install` installs it", None)
    free = shutil.disk_usage(root).free
    if free < 1 << 30:
        yield Finding(
            f"{free >> 20} MiB of disk are free, a run needs about 1 GiB",
            "`dvc gc --help` says what can be freed",
            None,
        )


def _lock_problem(path: Path) -> str | None:
    """Say why DVC cannot read its lock file, or None."""
    if not path.exists():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    if not text.strip():
        return "empty, left by a crash"
    try:
        loaded = yaml.safe_load(text)
    except yaml.YAMLError:
        return "not YAML, cut short by a crash"
    if not isinstance(loaded, dict) or "stages" not in loaded:
        return "no stages in it, cut short by a crash"
    return None


def _rwlock_problem(path: Path) -> str | None:
    """Say why DVC would refuse to go on, or None; DVC itself clears holders that are gone."""
    if not path.exists():
        return None
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
        pids = set(_pids(loaded))
    except (ValueError, TypeError, KeyError, AttributeError):
        return "not what DVC writes, cut short by a crash"
    written = path.stat().st_mtime
    for pid in sorted(pids):
        if _started_after(pid, written):
            return f"names process {pid}, whose number now belongs to another, younger process"
    return None


def _pids(loaded: dict[str, Any]) -> Iterator[int]:
    for info in loaded.get("write", {}).values():
        yield int(info["pid"])
    for infos in loaded.get("read", {}).values():
        for info in infos:
            yield int(info["pid"])


def _started_after(pid: int, moment: float) -> bool:
    import psutil

    try:
        # A second of grace: the two clocks have different grain.
        return bool(psutil.Process(pid).create_time() > moment + 1)
    except psutil.NoSuchProcess:
        return False
