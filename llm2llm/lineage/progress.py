"""See how far a run has come, from its files alone: no DVC lock is taken."""

import fcntl
import json
from dataclasses import dataclass
from pathlib import Path

from llm2llm.files import read_json
from llm2llm.lineage.history import read_history
from llm2llm.lineage.run import Run, open_run, scan
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.predictions import Prediction
from llm2llm.records.screened import Kept, Rejected

DONE, STALE, PENDING = "done", "stale", "pending"

_STEPS = (
    ("train-iter", "student/manifest.json"),
    ("predict", "predictions.parquet"),
    ("diff-errors", "errors.parquet"),
    ("teacher-batch", "responses.parquet"),
    ("dedupe-against-test", "screened/certificate.json"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One stage: done, pending (no output), or stale (output, but not yet what it is made from)."""

    stage: str
    state: str


@dataclass(frozen=True, slots=True)
class IterationStatus:
    """One iteration; what is not known yet, or belongs to a stale stage, is null."""

    iteration: int
    steps: list[Step]
    n_examples: int | None
    n_seeds: int | None
    n_seeds_right: int | None
    n_test: int | None
    n_test_right: int | None
    n_errors: int | None
    n_kept: int | None
    n_rejected: int | None


@dataclass(frozen=True, slots=True)
class Status:
    """A run at this moment; `workers` are the processes that hold locks of work now."""

    n_iterations: int
    finished: bool
    before: list[Step]
    iterations: list[IterationStatus]
    after: list[Step]
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
    workers: list[int]
    next_command: str


def status(root: Path, store: Path) -> Status:
    """Look at the run in `root`, and at the locks of work in `store`."""
    run = open_run(root)
    data = root / "data"
    base = _step("base-model", data / "base" / "base.json")
    last_set = _step("subsample", run.examples(0))
    before = [_step("plan", data / "plan.json"), base, last_set]
    iterations = []
    for i in range(run.n_iterations + 1):
        iterations.append(_iteration(run, i, base, last_set))
        if i < run.n_iterations:
            last_set = iterations[-1].steps[-1]
    student = _step("train-control", data / "control" / "student" / "manifest.json", base, last_set)
    control = _step("predict-control", run.control(), student)
    predicted = iterations[-1].steps[-1]
    report = _step("report", data / "report" / "metrics.json", predicted, control, last_set)
    export = _step("export", data / "export" / "manifest.json", last_set)
    if export.state == DONE and _exported_set(data / "export") != run.n_iterations:
        # `iterations` was changed since: what is made from the last set is another set's.
        student, control, report, export = (
            Step(step.stage, STALE) for step in (student, control, report, export)
        )
    after = [student, control, report, export]
    steps = [*before, *(step for each in iterations for step in each.steps), *after]
    finished = all(step.state == DONE for step in steps)
    merged = sum(Step("merge", DONE) in each.steps for each in iterations)
    history = run.in_set(merged, "history.json")
    tokens = [entry.tokens for entry in read_history(history, merged).iterations] if merged else []
    return Status(
        n_iterations=run.n_iterations,
        finished=finished,
        before=before,
        iterations=iterations,
        after=after,
        n_prompt_tokens=_total([each.prompt for each in tokens]),
        n_completion_tokens=_total([each.completion for each in tokens]),
        workers=_workers(store),
        next_command="llm2llm explain EXAMPLE" if finished else "dvc --wait-for-lock repro",
    )


def _step(stage: str, output: Path, *parents: Step) -> Step:
    if not output.exists():
        return Step(stage, PENDING)
    return Step(stage, DONE if all(parent.state == DONE for parent in parents) else STALE)


def _exported_set(folder: Path) -> int:
    return int(read_json(folder / "manifest.json")["set"])


def _iteration(run: Run, iteration: int, base: Step, this_set: Step) -> IterationStatus:
    last = iteration == run.n_iterations
    steps: list[Step] = []
    for stage, name in _STEPS[:2] if last else _STEPS:
        parents = [steps[-1]] if steps else [base, this_set]
        steps.append(_step(stage, run.in_iteration(iteration, name), *parents))
    if not last:
        steps.append(_step("merge", run.in_set(iteration + 1, "history.json"), steps[-1]))
    done = {step.stage for step in steps if step.state == DONE}
    right: dict[str, tuple[int, int]] = {}
    if "predict" in done:
        right = {s: _right(run.predictions(iteration), s) for s in ("seed", "test")}
    seeds, tests = right.get("seed", (None, None)), right.get("test", (None, None))
    kept = run.in_iteration(iteration, "screened/kept.parquet")
    rejected = run.in_iteration(iteration, "screened/rejected.parquet")
    screened = "dedupe-against-test" in done
    errors = run.in_iteration(iteration, "errors.parquet")
    return IterationStatus(
        iteration=iteration,
        steps=steps,
        n_examples=_count(run.examples(iteration), Example) if done else None,
        n_seeds=seeds[0],
        n_seeds_right=seeds[1],
        n_test=tests[0],
        n_test_right=tests[1],
        n_errors=_count(errors, SeedError) if "diff-errors" in done else None,
        n_kept=_count(kept, Kept) if screened else None,
        n_rejected=_count(rejected, Rejected) if screened else None,
    )


def _right(path: Path, split: str) -> tuple[int, int]:
    found = scan(path, Prediction).filter(split=split).select("verdict").collect()["verdict"]
    return len(found), int((found == "right").sum())


def _count(path: Path, record: type[object]) -> int:
    import polars as pl

    return int(scan(path, record).select(pl.len()).collect().item())


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _workers(store: Path) -> list[int]:
    """List the processes at work: whoever keeps the lock of a unit of work from being shared."""
    found = set()
    for path in sorted((store / "work").glob("*/lock")):
        with path.open(encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                found.add(_pid(stream.read()))
    return sorted(found)


def _pid(text: str) -> int:
    """Read the holder's process id; 0 where it has not written it yet."""
    try:
        return int(json.loads(text)["pid"])
    except (ValueError, KeyError, TypeError):
        return 0
