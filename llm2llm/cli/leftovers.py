"""What a crash, a kill or another user leaves behind in a project."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from llm2llm.ledger.locks import holders
from llm2llm.lineage.running import running
from llm2llm.work import is_complete

_N_SHOWN = 3


class Leftover(NamedTuple):
    """What is wrong, what mends it, and the paths that `--fix` deletes or makes accessible."""

    what: str
    mend: str
    deletes: list[str]
    unlocks: list[str]


def leftovers(root: Path, store: Path) -> Iterator[Leftover]:
    """Yield what may be in the way: half-written files, states, stopped processes, permissions."""
    yield from _half_written(root)
    yield from _half_states(store)
    yield from _stopped(store)
    yield from _locked_away(root, store)


def _half_written(root: Path) -> Iterator[Leftover]:
    """Find what a killed stage had not yet renamed; a finished output has another name."""
    found = []
    for path in sorted((root / "data").rglob(".*.tmp*")):
        owner = path.name.removesuffix(".old").removesuffix(".tmp").rpartition(".")[2]
        moved = path.name.endswith(".old") and not _target(path).exists()
        if owner.isdigit() and not _lives(int(owner)) and not moved:
            found.append(str(path))
    if found:
        yield _delete("half-written outputs of a killed stage", found)


def _target(aside: Path) -> Path:
    name = aside.name.removesuffix(".old").removesuffix(".tmp").rpartition(".")[0]
    return aside.with_name(name[1:])


def _half_states(store: Path) -> Iterator[Leftover]:
    """Find training states without their mark, of no training that goes on now."""
    found = []
    for work in sorted((store / "work").glob("*")):
        states = [s for s in work.rglob("checkpoint-*") if s.is_dir() and not is_complete(s)]
        if states and not _is_held(work / "lock"):
            found += [str(state) for state in states]
    if found:
        yield _delete("half-written training states, which no training goes on from", found)


def _is_held(lock: Path) -> bool:
    import fcntl

    if not lock.exists():
        return False
    with lock.open(encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _delete(what: str, paths: list[str]) -> Leftover:
    more = f" and {len(paths) - _N_SHOWN} more" if len(paths) > _N_SHOWN else ""
    named = f"{', '.join(paths[:_N_SHOWN])}{more}"
    return Leftover(f"{what}: {named}", "`llm2llm doctor --fix` deletes them", paths, [])


def orphans(root: Path, store: Path) -> Iterator[str]:
    """Tell of stages that go on although the DVC that started them is gone: they block nothing."""
    for each in running(root, store):
        if each.process and each.stage and not _has_dvc_above(each.process):
            yield (
                f"{each.stage} goes on as process {each.process}, without the DVC that started it;"
                " the next `dvc repro` waits for it and takes its result; or"
                f" `kill {each.process}`"
            )


def _has_dvc_above(process: int) -> bool:
    import psutil

    try:
        above = psutil.Process(process).parents()
        # `dvc repro`, or `python .../dvc repro`, or `python -m dvc repro`.
        return any(Path(word).name == "dvc" for p in above for word in p.cmdline()[:3])
    except psutil.Error:
        return True  # it has ended meanwhile, or is another user's


def _stopped(store: Path) -> Iterator[Leftover]:
    """Find processes that hold the ledger and cannot let it go; the dead hold nothing."""
    import psutil

    for process in sorted({*holders(store / "ledger.sqlite"), *holders(store / "inflight.lock")}):
        try:
            state = psutil.Process(process).status()
        except psutil.Error:
            continue
        if state in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            yield Leftover(
                f"the ledger is held by process {process}, which is stopped",
                f"`kill -CONT {process}` lets it go on, `kill -KILL {process}` ends it",
                [],
                [],
            )


def _locked_away(root: Path, store: Path) -> Iterator[Leftover]:
    """Find files that a run reads and writes, and may not."""
    wanted = [root / "params.yaml", root / ".dvc/tmp/rwlock", root / "dvc.lock"]
    wanted += [*sorted(store.glob("*")), *sorted((store / "work").glob("*/lock"))]
    wanted += [root / "data", root / ".dvc", root / "data/sets", root / "data/iterations"]
    bad = [str(path) for path in wanted if path.exists() and not _accessible(path)]
    if not bad:
        return
    mine = [path for path in bad if Path(path).stat().st_uid == os.geteuid()]
    theirs = [path for path in bad if path not in mine]
    if mine:
        yield Leftover(
            f"no permission to read and write {', '.join(mine[:_N_SHOWN])}",
            "`llm2llm doctor --fix` gives it back to you",
            [],
            mine,
        )
    if theirs:
        named = " ".join(theirs[:_N_SHOWN])
        yield Leftover(
            f"of another user: {named}", f"`sudo chown -R $USER {named}` makes it yours", [], []
        )


def _accessible(path: Path) -> bool:
    mode = os.R_OK | os.W_OK | (os.X_OK if path.is_dir() else 0)
    return os.access(path, mode)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
