"""`llm2llm status`: how far the run has come."""

from pathlib import Path
from typing import Annotated

import typer

from llm2llm.cli.tables import fact, heading, percent, print_json, table
from llm2llm.lineage.progress import DONE, IterationStatus, Status, Step
from llm2llm.lineage.progress import status as status_of
from llm2llm.stage import store


def status(
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show how far the run has come; works before, during and after `dvc repro`.

    Takes no lock of DVC. `stale` marks an output left from an earlier run: what it is
    made from is still to come.

    Example: llm2llm status
    """
    found = status_of(Path(), store())
    if json_:
        print_json(found)
        return
    print(_title(found))
    print(f"before the loop: {_steps(found.before)}")
    heading("Iterations")
    table(
        ["iteration", "stages", "examples", "seed %", "test %", "errors", "kept", "rejected"],
        [_row(each) for each in found.iterations],
    )
    print()
    print(f"after the loop: {_steps(found.after)}")
    fact("prompt tokens so far", found.n_prompt_tokens)
    fact("completion tokens so far", found.n_completion_tokens)
    if found.workers:
        pids = ", ".join(str(pid) if pid else "unknown" for pid in found.workers)
        print(f"at work now: process {pids}")
    print(f"next: {found.next_command}")


def _title(found: Status) -> str:
    if found.finished:
        return f"finished: {found.n_iterations} iterations"
    n_done = sum(all(step.state == DONE for step in each.steps) for each in found.iterations)
    return f"under way: {n_done} of {len(found.iterations)} students and what follows them done"


def _steps(steps: list[Step]) -> str:
    return ", ".join(f"{step.stage} {step.state}" for step in steps)


def _row(each: IterationStatus) -> list[object]:
    first = next((step for step in each.steps if step.state != DONE), None)
    return [
        each.iteration,
        "done" if first is None else f"{first.stage} {first.state}",
        each.n_examples,
        percent(each.n_seeds_right, each.n_seeds),
        percent(each.n_test_right, each.n_test),
        each.n_errors,
        each.n_kept,
        each.n_rejected,
    ]
