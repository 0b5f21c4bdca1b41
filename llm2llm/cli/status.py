"""`llm2llm status`: how far the run has come."""

import time
from pathlib import Path
from typing import Annotated

import typer

from llm2llm.cli.tables import fact, heading, percent, print_json, printable, table
from llm2llm.lineage.progress import DONE, IterationStatus, Status, Step
from llm2llm.lineage.progress import status as status_of
from llm2llm.lineage.running import Running
from llm2llm.stage import last_stop, store

_EVERY_S = 2.0
_CLEAR = "\x1b[2J\x1b[H"


def status(
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again every two seconds, until it is finished.")
    ] = False,
) -> None:
    """Show how far the run has come; works before, during and after `dvc repro`.

    Takes no lock of DVC. `stale` marks an output of something else than what params, code or
    files are now; it may turn out the same when it is made again.

    Example: llm2llm status
    """
    found = status_of(Path(), store(), last_stop())
    if json_:
        print_json(found)
        return
    if watch:
        print(_CLEAR, end="")
    _show(found)
    while watch and not found.finished:
        time.sleep(_EVERY_S)
        found = status_of(Path(), store(), last_stop())
        print(_CLEAR, end="")
        _show(found)


def _show(found: Status) -> None:
    print(_title(found))
    print(f"before the loop: {_steps(found.before)}")
    heading("Iterations")
    names = ["iteration", "stages", "examples", "seed %", "test %", "errors", "kept", "rejected"]
    table([*names, "tokens", "cost"], [_row(each) for each in found.iterations])
    print()
    print(f"after the loop: {_steps(found.after)}")
    fact("prompt tokens so far", found.n_prompt_tokens)
    fact("completion tokens so far", found.n_completion_tokens)
    fact("cost so far, at the prices in params.yaml", _cost(found.cost))
    if found.n_judges:
        print("  what is asked of judges is in none of these: `llm2llm ledger status` has it all")
    for step in _changed(found):
        print(f"stale: {step.stage}, as {step.changed} is not as it was")
    if not found.compared:
        print("dvc.lock records nothing, so that files alone tell what is done")
    for each in found.running:
        print(f"at work now: {_at_work(each)}")
    if found.last_stop is not None:
        print(f"last stop: {printable(found.last_stop)}")
    print(f"next: {found.next_command}")


def _title(found: Status) -> str:
    if found.finished:
        return f"finished: {found.n_iterations} iterations"
    n_done = sum(all(step.state == DONE for step in each.steps) for each in found.iterations)
    return f"under way: {n_done} of {len(found.iterations)} students and what follows them done"


def _steps(steps: list[Step]) -> str:
    return ", ".join(f"{step.stage} {step.state}" for step in steps)


def _changed(found: Status) -> list[Step]:
    """List where a change begins; what follows from it is stale without a change of its own."""
    of_loop = [
        Step(f"{step.stage}@{each.iteration}", step.state, step.changed)
        for each in found.iterations
        for step in each.steps
    ]
    return [step for step in [*found.before, *of_loop, *found.after] if step.changed is not None]


def _at_work(each: Running) -> str:
    stage = each.stage or "a stage"
    process = each.process or "unknown"
    done = f", {each.done} of {each.total} updates kept" if each.done is not None else ""
    return f"{stage}, process {process}, since {each.since}{done}"


def _row(each: IterationStatus) -> list[object]:
    first = next((step for step in each.steps if step.state != DONE), None)
    known = each.n_prompt_tokens is not None or each.n_completion_tokens is not None
    return [
        each.iteration,
        "done" if first is None else f"{first.stage} {first.state}",
        each.n_examples,
        percent(each.n_seeds_right, each.n_seeds),
        percent(each.n_test_right, each.n_test),
        each.n_errors,
        each.n_kept,
        each.n_rejected,
        (each.n_prompt_tokens or 0) + (each.n_completion_tokens or 0) if known else None,
        _cost(each.cost),
    ]


def _cost(cost: float | None) -> str | None:
    return None if cost is None else f"{cost:.4f}"
