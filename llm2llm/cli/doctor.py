"""`llm2llm doctor`: what may block a run after a crash, and what the machine lacks."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import typer

from llm2llm.exceptions import MachineError, ParamsError
from llm2llm.extras import install_line
from llm2llm.lineage.lock_files import LOCKS, lock_problem
from llm2llm.params.base_model import BaseModelParams
from llm2llm.params.loading import load_section
from llm2llm.stage import PARAMS, store

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Fix = Annotated[bool, typer.Option("--fix", help="mend what can be mended without loss")]

_RWLOCK = Path(".dvc/tmp/rwlock")
_PACKAGES = ("dvc", "torch", "transformers", "peft", "accelerate", "openai", "matplotlib")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong; `blocks` names the file whose deletion mends it, if any.

    What `--fix` deletes or makes accessible besides stands in `deletes` and `unlocks`.
    """

    what: str
    mend: str
    blocks: str | None
    deletes: tuple[str, ...] = ()
    unlocks: tuple[str, ...] = ()


def doctor(fix: Fix = False, json_: Json = False) -> None:
    """Find what blocks a run: what a crash left, missing keys and packages, a full disk.

    Deleting what `--fix` deletes loses nothing: DVC's run-cache restores every finished stage,
    and the teacher's answers are never touched.

    Example: llm2llm doctor --fix
    """
    findings = list(_all(Path()))
    fixed: list[str] = []
    if fix:
        for finding in findings:
            fixed += _mend(finding)
        findings = list(_all(Path()))
    notes = list(_notes(Path()))
    if json_:
        told = [asdict(finding) for finding in findings]
        print(json.dumps({"findings": told, "fixed": fixed, "notes": notes}, indent=2))
    else:
        for name in fixed:
            print(f"mended {name}; `dvc repro` goes on")
        for finding in findings:
            print(f"problem: {finding.what}; {finding.mend}")
        for note in notes:
            print(f"note: {note}")
        if not findings:
            print("nothing blocks a run here")
    if findings:
        raise typer.Exit(MachineError.exit_code)


def _all(root: Path) -> Iterator[Finding]:
    from llm2llm.cli.leftovers import leftovers
    from llm2llm.cli.validate import teacher_problems

    yield from examine(root)
    if not (root / ".dvc").is_dir():
        return
    for each in leftovers(root, store()):
        yield Finding(each.what, each.mend, None, tuple(each.deletes), tuple(each.unlocks))
    try:
        for problem in teacher_problems():
            yield Finding(problem, "`llm2llm validate` says what else params need", None)
    except (ParamsError, OSError) as failure:
        first = str(failure).splitlines()[0]
        yield Finding(first, "`llm2llm validate` names all that is wrong with it", None)


def _notes(root: Path) -> Iterator[str]:
    """Yield what blocks no run: stages without their DVC, what most runs do not need."""
    from llm2llm.cli.leftovers import orphans

    if (root / ".dvc").is_dir():
        yield from orphans(root, store())
    try:
        base = load_section(root / PARAMS, "base_model", BaseModelParams)
    except ParamsError:
        return
    model = base.model
    of_hub = "/" in model and not model.startswith((".", "/", "~")) and not Path(model).is_dir()
    cached = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser() / "token"
    if of_hub and not os.environ.get("HF_TOKEN") and not cached.is_file():
        yield (
            f"no token of the model hub is here (HF_TOKEN, or `hf auth login`): {model} cannot be"
            " fetched if it is gated or private"
        )


def _mend(finding: Finding) -> Iterator[str]:
    """Do what is safe, and name what was done."""
    for name in (*([finding.blocks] if finding.blocks else []), *finding.deletes):
        if Path(name).is_dir():
            shutil.rmtree(name)
        else:
            Path(name).unlink(missing_ok=True)
        yield name
    for name in finding.unlocks:
        path = Path(name)
        path.chmod(path.stat().st_mode | (0o700 if path.is_dir() else 0o600))
        yield name


def examine(root: Path) -> Iterator[Finding]:
    """Yield every finding in the project folder `root`."""
    if not (root / ".dvc").is_dir():
        yield Finding("this folder is no DVC project", "run it in the project's root", None)
        return
    for path in LOCKS:
        found = lock_problem(root / path)
        if found:
            blocks = str(path) if found.by_crash else None
            yield Finding(f"{path}: {found.what}", found.mend, blocks)
    problem = _rwlock_problem(root / _RWLOCK)
    if problem:
        yield Finding(f"{_RWLOCK}: {problem}", "`llm2llm doctor --fix` deletes it", str(_RWLOCK))
    for name in _PACKAGES:
        try:
            version(name)
        except PackageNotFoundError:
            line = install_line(name)
            yield Finding(f"package {name} is not installed", f"`{line}` installs it", None)
    free = shutil.disk_usage(root).free
    if free < 1 << 30:
        yield Finding(
            f"{free >> 20} MiB of disk are free, a run needs about 1 GiB",
            "`dvc gc --help` says what can be freed",
            None,
        )


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
