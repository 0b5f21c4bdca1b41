"""`llm2llm preview`: what the teacher is asked, before it is asked."""

from pathlib import Path
from typing import Annotated

import typer

from llm2llm.cli.tables import block, fact, heading, print_json
from llm2llm.cli.teaching import answer_judge_of, ledger_of, sender_of
from llm2llm.exceptions import TeacherError
from llm2llm.pending import load_teaching
from llm2llm.previewing import Answered, Preview, Shown, ShownJudging
from llm2llm.previewing import preview as preview_requests
from llm2llm.stage import store


def preview(
    iteration: Annotated[
        int | None, typer.Option(help="Of which iteration; else the first without answers.")
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, help="How many seeds.")] = 3,
    ask: Annotated[bool, typer.Option("--ask", help="Send them, and show the answers.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what the teacher is asked about the first few seeds; with --ask, what it answers.

    Answers go to the ledger, within the budget: where the student's errors are known the stage
    sends these very requests, and finds them answered.

    Example: llm2llm preview --n 2 --ask
    """
    root = Path()
    teaching = load_teaching(root)
    with ledger_of(store(), make=ask) as ledger:
        found = preview_requests(
            root,
            store(),
            teaching,
            ledger,
            lambda chosen: sender_of(teaching, ledger, chosen),
            answer_judge_of(teaching, ledger),
            iteration=iteration,
            n=n,
            ask=ask,
        )
    if json_:
        print_json(found)
    else:
        _in_words(found, asked=ask)
    if found.failure is not None:
        raise TeacherError(found.failure)


def _in_words(found: Preview, *, asked: bool) -> None:
    print(_title(found))
    for request in found.requests:
        _request(request)
        if asked and request.answered is None:
            print("  -- no answer came")
    if not asked and any(request.answered is None for request in found.requests):
        how = "costs nothing" if found.free else "is to be paid for"
        print(f"\n--ask sends what is not answered yet, which {how}, and keeps the answers")
    if found.judging is not None:
        _judging(found.judging)


def _title(found: Preview) -> str:
    title = f"iteration {found.iteration}: {len(found.requests)} of {found.n_asked} seeds to ask"
    if not found.known:
        return (
            f"{title}; no student has answered them yet, so every seed is shown as if wrong and a"
            " stand-in takes the place of the wrong answer: what is asked of these counts for no"
            " run"
        )
    return f"{title}{'; it has its answers already' if found.answered else ''}"


def _judging(shown: ShownJudging) -> None:
    heading(f"The judge of answers, about one to seed {shown.seed_id}")
    fact("prompt tokens, at 4 bytes each", shown.n_tokens)
    for message in shown.messages:
        block(message.role, message.content)
    cost = "" if shown.most.cost is None else f", for {shown.most.cost:.4f} at most"
    print(
        f"\nit is asked by the stages predict and predict-control, {shown.most.n_requests} times at"
        f" most in the rest of the run{cost}; `llm2llm quote` says what is expected"
    )


def _request(shown: Shown) -> None:
    heading(f"Seed {shown.seed_id}, request {shown.draw + 1} about it")
    fact("request", shown.request_id)
    fact("prompt tokens, at 4 bytes each", shown.n_tokens)
    for message in shown.messages:
        block(message.role, message.content)
    if shown.answered is not None:
        _answer(shown.answered)


def _answer(answered: Answered) -> None:
    print(f"  -- {answered.status} ({answered.finish_reason or 'no finish reason'})")
    fact("failure", answered.failure)
    if answered.text is not None:
        block("answer", answered.text)
    fact("prompt tokens, as counted", answered.n_prompt_tokens)
    fact("completion tokens, as counted", answered.n_completion_tokens)
    if answered.status == "answered":
        fact("cost", "unknown" if answered.cost is None else f"{answered.cost:.6f}")
    for reading in answered.readings:
        if reading.candidate is not None:
            block("read as input", reading.candidate.input)
            block("read as target", reading.candidate.target)
        verdict = (
            "passes" if reading.reason is None else f"fails ({reading.gate}): {reading.reason}"
        )
        fact("checks", verdict)
