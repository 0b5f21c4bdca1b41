"""`llm2llm quote`: what the teacher will cost, before it is asked."""

from pathlib import Path
from typing import Annotated

import typer

from llm2llm.cli.tables import heading, print_json, table
from llm2llm.cli.teaching import answer_judge_of, ledger_of, sender_of
from llm2llm.estimating import Amount
from llm2llm.judging_stage import judge_of
from llm2llm.pending import load_teaching
from llm2llm.quoting import Quote
from llm2llm.quoting import quote as quote_run
from llm2llm.stage import store


def quote(
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Say what is still asked of teacher and judges, and its cost.

    Both are told at most, and as expected. Nothing is sent and no key is needed. Of what the
    teacher is asked, what the ledger holds already is not counted.

    Example: llm2llm quote
    """
    teaching = load_teaching(Path())
    with ledger_of(store(), make=False) as ledger:
        found = quote_run(
            Path(),
            store(),
            teaching,
            ledger,
            lambda iteration: sender_of(teaching, ledger, iteration),
            judge_of("dedupe-against-test", lambda: ledger, lambda _tally: None),
            answer_judge_of(teaching, ledger),
        )
    if json_:
        print_json(found)
        return
    _in_words(found)


def _in_words(found: Quote) -> None:
    print(f"teacher {found.backend}{': costs nothing' if found.free else ''}")
    judges = [
        (name, judge)
        for name, judge in (("judge", found.judge), ("judge of answers", found.answer_judge))
        if judge is not None
    ]
    for name, judge in judges:
        print(f"{name} {judge.backend}{': costs nothing' if judge.free else ''}")
    heading("Still to be sent")
    rows: list[list[object]] = []
    for each in found.iterations:
        source = "known" if each.known else "assumed"
        amounts = [*_cells(each.expected), *_cells(each.most)]
        rows.append([each.iteration, each.n_asked, source, each.n_held, *amounts])
    for name, judge in judges:
        rows.append([name, None, None, None, *_cells(judge.expected), *_cells(judge.most)])
    rows.append(["all", None, None, None, *_cells(found.expected), *_cells(found.most)])
    names = ["iteration", "seeds", "errors", "in ledger"]
    amounts_named = ["requests", "prompt", "completion", "cost"]
    table([*names, *amounts_named, *(f"most {name}" for name in amounts_named)], rows)
    if not found.free or any(not judge.free for _, judge in judges):
        heading("Left of the budget")
        left = found.left
        cost = None if left.cost is None else f"{left.cost:.4f}"
        limits = [left.n_requests, left.n_tokens, cost]
        table(
            ["requests", "tokens", "cost"],
            [["no limit" if limit is None else limit for limit in limits]],
        )
        for name in found.beyond_budget:
            print(f"more is expected than `{name}` leaves: the stage will stop there")
    heading("Assumed")
    for text in found.assumptions:
        print(f"  {text}")


def _cells(amount: Amount) -> list[object]:
    return [
        amount.n_requests,
        amount.n_prompt_tokens,
        "unknown" if amount.n_completion_tokens is None else amount.n_completion_tokens,
        "unknown" if amount.cost is None else f"{amount.cost:.4f}",
    ]
