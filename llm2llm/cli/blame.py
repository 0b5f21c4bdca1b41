"""`llm2llm blame`: what came of a seed."""

from pathlib import Path
from typing import Annotated

import typer

from llm2llm.cli.tables import block, fact, heading, print_json, table
from llm2llm.lineage.blaming import Blame
from llm2llm.lineage.blaming import blame as blame_seed
from llm2llm.stage import store


def blame(
    seed: Annotated[str, typer.Argument(help="A seed's id, or a unique start of it.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tell what came of a seed: verdicts, requests, examples kept and rejected, and why.

    Example: llm2llm blame ex-81d04e
    """
    found = blame_seed(Path(), seed, store())
    if json_:
        print_json(found)
        return
    print(f"{found.seed.example_id}: seed, row {found.seed.source_row} of the raw file")
    block("input", found.seed.input)
    block("gold target", found.seed.target)
    print()
    print(_story(found))
    fact("prompt tokens", found.n_prompt_tokens)
    fact("completion tokens", found.n_completion_tokens)
    fact("cost", "unknown" if found.cost is None else f"{found.cost:.6f}")
    heading("By iteration")
    table(
        ["iteration", "verdict", "answer", "requests", "kept", "rejected"],
        [
            [
                each.iteration,
                each.verdict,
                each.answer,
                len(each.requests),
                sum(descendant.kept for descendant in each.descendants),
                sum(not descendant.kept for descendant in each.descendants),
            ]
            for each in found.iterations
        ],
    )
    _descendants(found)


def _story(found: Blame) -> str:
    if not found.iterations:
        return "No student has answered it yet."
    fixed = [f"fixed in iteration {i}" for i in found.fixed_in]
    broke = [f"wrong again in iteration {i}" for i in found.broke_in]
    turns = sorted(zip([*found.fixed_in, *found.broke_in], [*fixed, *broke], strict=True))
    now = "The newest student gets it right" if found.fixed else "The newest student gets it wrong"
    story = "; ".join(text for _, text in turns)
    return (
        f"{now}{f' ({story})' if story else ''}. Requests: {found.n_requests}, kept:"
        f" {found.n_kept}, rejected: {found.n_rejected}."
    )


def _descendants(found: Blame) -> None:
    rows = [
        [each.iteration, d.candidate_id, "kept" if d.kept else "rejected", d.gate, d.reason]
        for each in found.iterations
        for d in each.descendants
    ]
    if rows:
        heading("Descendants")
        table(["iteration", "candidate", "outcome", "gate", "reason"], rows)
    failed = [
        [each.iteration, request.request_id, request.failure]
        for each in found.iterations
        for request in each.requests
        if request.failure is not None
    ]
    if failed:
        heading("Requests that failed for good")
        table(["iteration", "request", "failure"], failed)
