"""See what is being worked on now, from locks and work folders alone; none is taken."""

import fcntl
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

_LOOP = ("train-iter", "predict", "diff-errors", "teacher-batch", "dedupe-against-test", "merge")
# Which stage writes what, for DVC's own lock names files.
_OUTS = {
    r"plan\.json": "plan",
    r"base": "base-model",
    r"split|sets/0": "subsample",
    r"iterations/(\d+)/student": "train-iter",
    r"iterations/(\d+)/(?:predictions|samples)\.parquet": "predict",
    r"iterations/(\d+)/errors\.parquet": "diff-errors",
    r"iterations/(\d+)/responses\.parquet": "teacher-batch",
    r"iterations/(\d+)/screened": "dedupe-against-test",
    r"sets/(\d+)": "merge",
    r"control/student": "train-control",
    r"control/.*": "predict-control",
    r"report/.*": "report",
    r"export.*": "export",
}


@dataclass(frozen=True, slots=True)
class Running:
    """A stage at work: `process` holds the lock of its work, or is the DVC that runs it.

    `since` is UTC. `done` of `total` counts updates of a training, as its newest state has them;
    null where a stage leaves no trace before its end.
    """

    stage: str | None
    process: int
    since: str
    done: int | None
    total: int | None


def running(root: Path, store: Path) -> list[Running]:
    """List what is at work: holders of locks of work, and what DVC says that it runs."""
    found = list(_at_work(store))
    known = {each.stage for each in found}
    found += [each for each in _run_by_dvc(root) if each.stage not in known]
    return sorted(found, key=lambda each: (each.since, each.process))


def _at_work(store: Path) -> Iterator[Running]:
    """List whoever keeps the lock of a unit of work from being shared."""
    for path in sorted((store / "work").glob("*/lock")):
        with path.open(encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                process = _pid(stream.read())
                done, total = _updates(path.parent)
                yield Running(_stage_of(process), process, _written(path), done, total)


def _pid(text: str) -> int:
    """Read the holder's process id; 0 where it has not written it yet."""
    try:
        return int(json.loads(text)["pid"])
    except (ValueError, KeyError, TypeError):
        return 0


def _stage_of(process: int) -> str | None:
    """Name the stage that a process was started for, from its command line."""
    try:
        import psutil
    except ModuleNotFoundError:  # it comes with DVC, which alone starts stages
        return None
    try:
        words = psutil.Process(process).cmdline()
    except psutil.Error:
        return None
    for place, word in enumerate(words):
        if Path(word).parent.name == "stages" and word.endswith(".py"):
            name = Path(word).stem.replace("_", "-")
            return f"{name}@{words[place + 1]}" if name in _LOOP and words[place + 1 :] else name
    return None


def _updates(folder: Path) -> tuple[int | None, int | None]:
    """Read how far a training is from the newest state in its folder."""
    newest: tuple[int | None, int | None] = (None, None)
    for path in folder.rglob("checkpoint-*/trainer_state.json"):
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            step, last = int(state["global_step"]), int(state["max_steps"])
        except (OSError, ValueError, KeyError, TypeError):
            continue  # half-written, or replaced meanwhile
        if newest[0] is None or step > newest[0]:
            newest = (step, last)
    return newest


def _run_by_dvc(root: Path) -> Iterator[Running]:
    """List the stages whose outputs DVC has locked for writing, if it is still there."""
    path = root / ".dvc/tmp/rwlock"
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")).get("write", {})
        processes = {out: int(info["pid"]) for out, info in held.items()}
        since = _written(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return
    named: dict[str, int] = {}
    for out, process in processes.items():
        stage = _writer(out, root)
        if stage is not None and Path(f"/proc/{process}").exists():
            named.setdefault(stage, process)
    for stage, process in named.items():
        yield Running(stage, process, since, None, None)


def _writer(out: str, root: Path) -> str | None:
    name = out.removeprefix(str(root.resolve())).lstrip("/").removeprefix("data/")
    for pattern, stage in _OUTS.items():
        match = re.fullmatch(pattern, name)
        if match is not None:
            if not match.groups():
                return stage
            number = int(match.group(1)) - (stage == "merge")
            return f"{stage}@{number}"
    return None


def _written(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
