"""See how far a run has come, from its files alone: no DVC lock is taken."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llm2llm.files import read_json
from llm2llm.lineage.history import Tokens, read_history
from llm2llm.lineage.lock_files import LOCKS, lock_problem
from llm2llm.lineage.locked import Locked
from llm2llm.lineage.run import Run, columns, count, open_run
from llm2llm.lineage.running import Running, running
from llm2llm.params.loading import read_yaml
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.predictions import Prediction
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected

DONE, STALE, PENDING = "done", "stale", "pending"
# As teacher.backends has them, whose import would take longer than all that is done here.
FREE = ("symbolic", "vllm")

_STEPS = (
    ("train-iter", "student/manifest.json"),
    ("predict", "predictions.parquet"),
    ("diff-errors", "errors.parquet"),
    ("teacher-batch", "responses.parquet"),
    ("dedupe-against-test", "screened/certificate.json"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One stage: done, pending (no output), or stale (output, but of something else than now).

    `changed` names what is not as dvc.lock recorded it; null where a stage before is stale.
    """

    stage: str
    state: str
    changed: str | None = None


@dataclass(frozen=True, slots=True)
class IterationStatus:
    """One iteration; what is not known yet, or belongs to a stale stage, is null.

    `cost` is of the tokens, at the prices in params; null where one of these is not known.
    """

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
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class Status:
    """A run at this moment; `running` is at work now.

    With `compared` false nothing was ever recorded in dvc.lock, and files alone tell. Tokens and
    cost are the teacher's, without those of the `n_judges` that params name. `last_stop` is why
    the stage that is to come next stopped, null where it did not.
    """

    n_iterations: int
    finished: bool
    before: list[Step]
    iterations: list[IterationStatus]
    after: list[Step]
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
    cost: float | None
    compared: bool
    n_judges: int
    running: list[Running]
    next_command: str
    last_stop: str | None = None


def status(root: Path, store: Path, stopped: tuple[str, str] | None = None) -> Status:
    """Look at the run in `root`, and at the locks of work in `store`.

    `stopped` is a stage that stopped, by its name in `dvc repro`, and its message.
    """
    run = open_run(root)
    data = root / "data"
    locked = Locked(root)
    base_output = data / "base" / "base.json"
    base = _step(locked, "base-model", base_output)
    last_set = _step(locked, "subsample", run.examples(0))
    before = [_step(locked, "plan", data / "plan.json"), base, last_set]
    iterations: list[IterationStatus] = []
    tokens = _recorded_tokens(run)
    params = read_yaml(root / "params.yaml")
    for i in range(run.n_iterations + 1):
        iterations.append(_iteration(run, i, locked, base, last_set, tokens.get(i), params))
        if i < run.n_iterations:
            last_set = iterations[-1].steps[-1]
    control = data / "control"
    student = _step(locked, "train-control", control / "student/manifest.json", base, last_set)
    measured = _step(locked, "predict-control", run.control(), student)
    predicted = iterations[-1].steps[-1]
    metrics = data / "report" / "metrics.json"
    report = _step(locked, "report", metrics, predicted, measured, last_set)
    export = _step(locked, "export", data / "export" / "manifest.json", last_set)
    if export.state == DONE and _exported_set(data / "export") != run.n_iterations:
        # `iterations` was changed since: what is made from the last set is another set's.
        student, measured, report, export = (
            replace(step, state=STALE) for step in (student, measured, report, export)
        )
    after = [student, measured, report, export]
    steps = [*before, *(step for each in iterations for step in each.steps), *after]
    finished = all(step.state == DONE for step in steps)
    costs = [each.cost for each in iterations if each.n_prompt_tokens is not None]
    return Status(
        n_iterations=run.n_iterations,
        finished=finished,
        before=before,
        iterations=iterations,
        after=after,
        n_prompt_tokens=_total([each.n_prompt_tokens for each in iterations]),
        n_completion_tokens=_total([each.n_completion_tokens for each in iterations]),
        cost=sum(cost or 0.0 for cost in costs) if costs and None not in costs else None,
        compared=bool(locked),
        n_judges=_n_judges(params),
        running=running(root, store),
        next_command=_next_command(root, finished),
        last_stop=_last_stop(stopped, before + after, iterations),
    )


def _last_stop(
    stopped: tuple[str, str] | None, others: list[Step], iterations: list[IterationStatus]
) -> str | None:
    """Word why a stage stopped, unless its outputs are there by now."""
    if stopped is None:
        return None
    stage, message = stopped
    states = {step.stage: step.state for step in others}
    states |= {f"{s.stage}@{each.iteration}": s.state for each in iterations for s in each.steps}
    # `report` and `export` are called with the number of the last set, and one stage each.
    state = states.get(stage) or states.get(stage.partition("@")[0])
    return None if state in (None, DONE) else f"{stage}: {message}"


def _n_judges(params: Mapping[str, Any]) -> int:
    screening, predict = params.get("dedupe_against_test") or {}, params.get("predict") or {}
    return ("judge" in (screening.get("gates") or [])) + (predict.get("judge") is not None)


def _next_command(root: Path, finished: bool) -> str:
    if any(lock_problem(root / path) for path in LOCKS):
        return "llm2llm doctor"  # DVC would stop at the file
    return "llm2llm explain EXAMPLE" if finished else "dvc --wait-for-lock repro"


def undone_from(found: Status, first_set: int) -> Status:
    """Give the status that a run has once set `first_set` is to be made again."""

    def undone(step: Step) -> Step:
        return step if step.state == PENDING else replace(step, state=STALE)

    iterations = []
    for each in found.iterations:
        steps = each.steps
        if each.iteration >= first_set:
            steps = [undone(step) for step in steps]
        elif each.iteration == first_set - 1:
            steps = [*steps[:4], *(undone(step) for step in steps[4:])]
        iterations.append(replace(each, steps=steps))
    before = [undone(s) if s.stage == "subsample" and not first_set else s for s in found.before]
    after = [undone(step) for step in found.after]
    return replace(found, finished=False, before=before, iterations=iterations, after=after)


def _step(locked: Locked, stage: str, output: Path, *parents: Step) -> Step:
    """Look at a stage; `stage` is as `dvc repro` names it, a step drops the iteration."""
    name = stage.partition("@")[0]
    if not output.exists():
        return Step(name, PENDING)
    if any(parent.state != DONE for parent in parents):
        return Step(name, STALE)
    changed = locked.changed(stage)
    return Step(name, DONE if changed is None else STALE, changed)


def _exported_set(folder: Path) -> int:
    return int(read_json(folder / "manifest.json")["set"])


def _iteration(
    run: Run,
    iteration: int,
    locked: Locked,
    base: Step,
    this_set: Step,
    recorded: Tokens | None,
    params: Mapping[str, Any],
) -> IterationStatus:
    last = iteration == run.n_iterations
    steps: list[Step] = []
    for stage, name in _STEPS[:2] if last else _STEPS:
        parents = [steps[-1]] if steps else [base, this_set]
        path = run.in_iteration(iteration, name)
        steps.append(_step(locked, f"{stage}@{iteration}", path, *parents))
    if not last:
        merged = run.in_set(iteration + 1, "history.json")
        steps.append(_step(locked, f"merge@{iteration}", merged, steps[-1]))
    done = {step.stage for step in steps if step.state == DONE}
    right: dict[str, tuple[int, int]] = {}
    if "predict" in done:
        right = right_answers(run.predictions(iteration))
    seeds, tests = right.get("seed", (None, None)), right.get("test", (None, None))
    kept = run.in_iteration(iteration, "screened/kept.parquet")
    rejected = run.in_iteration(iteration, "screened/rejected.parquet")
    screened = "dedupe-against-test" in done
    errors = run.in_iteration(iteration, "errors.parquet")
    tokens = recorded if "merge" in done else None
    if tokens is None and "teacher-batch" in done:
        tokens = _tokens(run.in_iteration(iteration, "responses.parquet"))
    return IterationStatus(
        iteration=iteration,
        steps=steps,
        n_examples=count(run.examples(iteration), Example) if done else None,
        n_seeds=seeds[0],
        n_seeds_right=seeds[1],
        n_test=tests[0],
        n_test_right=tests[1],
        n_errors=count(errors, SeedError) if "diff-errors" in done else None,
        n_kept=count(kept, Kept) if screened else None,
        n_rejected=count(rejected, Rejected) if screened else None,
        n_prompt_tokens=tokens.prompt if tokens else None,
        n_completion_tokens=tokens.completion if tokens else None,
        cost=_cost(tokens, params),
    )


def right_answers(path: Path) -> dict[str, tuple[int, int]]:
    """Count the answers of each split, and the right ones."""
    import pyarrow.compute as pc

    table = columns(path, Prediction, "split", "verdict")
    found = {}
    for split in ("seed", "test"):
        verdicts = table.column("verdict").filter(pc.equal(table.column("split"), split))
        found[split] = (len(verdicts), int(pc.sum(pc.equal(verdicts, "right")).as_py() or 0))
    return found


def _recorded_tokens(run: Run) -> dict[int, Tokens]:
    """Read the tokens of each iteration from the newest history there is."""
    for number in range(run.n_iterations, 0, -1):
        path = run.in_set(number, "history.json")
        if path.exists():
            return {
                entry.iteration: entry.tokens for entry in read_history(path, number).iterations
            }
    return {}


def _tokens(path: Path) -> Tokens:
    import pyarrow.compute as pc

    names = ("n_prompt_tokens", "n_completion_tokens")
    table = columns(path, Response, *names)
    # The sum of nothing is null.
    prompt, completion = (pc.sum(table.column(name)).as_py() for name in names)
    return Tokens(prompt=prompt, completion=completion)


def _cost(tokens: Tokens | None, params: Mapping[str, Any]) -> float | None:
    """Price tokens as params do now; what was paid then stands in the ledger."""
    teacher, runtime = params.get("teacher_batch") or {}, params.get("runtime") or {}
    if tokens is None:
        return None
    if teacher.get("backend") in FREE:
        return 0.0
    prompt = runtime.get("price_per_million_prompt_tokens")
    completion = runtime.get("price_per_million_completion_tokens")
    if prompt is None or completion is None or tokens.prompt is None or tokens.completion is None:
        return None
    return float(tokens.prompt * prompt + tokens.completion * completion) / 1e6


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
