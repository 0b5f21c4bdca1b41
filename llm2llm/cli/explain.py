"""`llm2llm explain`: where an example comes from."""

from pathlib import Path
from typing import Annotated

import typer

from llm2llm.cli.tables import block, fact, heading, print_json, printable, table
from llm2llm.lineage.chain import Asked, Explanation, Outcome, Ruling, WrongAnswer
from llm2llm.lineage.explaining import explain as explain_example
from llm2llm.stage import store


def explain(
    example: Annotated[str, typer.Argument(help="An example's id, or a unique start of it.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Trace an example to its seed, wrong answer, request and gates.

    Takes seeds and rejected candidates too.

    Example: llm2llm explain ex-3f9a2c
    """
    found = explain_example(Path(), example, store())
    if json_:
        print_json(found)
        return
    print(_title(found))
    if found.review and found.review.edited_id:
        print(f"a reviewer made {found.review.edited_id} of it, which is at the end; from here on")
        print("it is as it was written:")
    block("input", found.input)
    block("target", found.target)
    if found.kind == "seed":
        fact("gold answer", found.seed.answer)
        fact("row of the raw file", found.seed.source_row)
        fact("students 0, 1, ... answered", ", ".join(found.verdicts) or "not yet")
        _judged(found)
        print(f"\nwhat was written for it: llm2llm blame {found.example_id}")
        _bundle(found)
        return
    heading(f"Seed {found.seed.example_id} (row {found.seed.source_row} of the raw file)")
    block("input", found.seed.input)
    block("gold target", found.seed.target)
    if found.wrong_answer:
        _wrong_answer(found.wrong_answer)
        _judged(found)
    if found.request:
        _request(found.request)
    if found.paid:
        fact("asked at", found.paid.created)
        fact("cost", "unknown" if found.paid.cost is None else f"{found.paid.cost:.6f}")
    if found.screening:
        _screening(found.screening)
    if found.review:
        _review(found.review)
    if found.recorded:
        heading("Made with, as dvc.lock recorded it")
        table(
            ["stage", "code", "params"],
            [[r.stage, r.code_sha256[:12], r.params_sha256[:12]] for r in found.recorded],
        )
    if found.siblings:
        heading("Other candidates of the same response")
        table(
            ["candidate", "outcome", "gate", "reason"],
            [
                [s.candidate_id, "kept" if s.kept else "rejected", s.gate, s.reason]
                for s in found.siblings
            ],
        )
    _bundle(found)


def _bundle(found: Explanation) -> None:
    if found.bundle:
        b = found.bundle
        named = printable(f"{b.path}, {b.name} {b.version}, manifest {b.manifest_sha256[:12]}")
        print(f"\nBundle: {named}")


def _title(found: Explanation) -> str:
    if found.kind == "rejected":
        return f"{found.example_id}: a rejected candidate, in no set"
    sets = ", ".join(str(number) for number in found.sets)
    return (
        f"{found.example_id}: {'a seed' if found.kind == 'seed' else 'an augmented example'}, in"
        f" sets {sets}{' and in the export' if found.exported else ''}"
    )


def _review(found: Ruling) -> None:
    heading(f"Review: {found.decision.decision}")
    fact("reviewer", found.decision.reviewer)
    fact("note", found.decision.note)
    if found.edited_id and found.decision.input is not None and found.decision.target is not None:
        fact("edited example", f"{found.edited_id}{', in the export' * found.edit_exported}")
        block("edited input", found.decision.input)
        block("edited target", found.decision.target)


def _wrong_answer(found: WrongAnswer) -> None:
    heading(f"The answer of student {found.iteration}: {found.verdict}")
    block("text", found.text)
    fact("read as", found.answer)
    fact("checkpoint", found.checkpoint)
    fact("wrong in a row", found.n_wrong_in_a_row)


def _judged(found: Explanation) -> None:
    for each in found.judged:
        fact(f"the judge, of student {each.iteration}", f"{each.opinion}: {each.reason}")


def _request(found: Asked) -> None:
    heading(f"Request {found.request_id} (the seed's number {found.draw + 1})")
    fact("teacher", found.teacher)
    fact("prompt template", found.prompt_sha256)
    for message in found.messages:
        block(str(message.get("role")), str(message.get("content")))
    heading(f"Response ({found.finish_reason or found.status})")
    block("text", found.text or "")
    fact("prompt tokens", found.n_prompt_tokens)
    fact("completion tokens", found.n_completion_tokens)


def _screening(found: Outcome) -> None:
    if not found.kept:
        heading(f"Rejected by gate {found.gate}")
        fact("reason", found.reason)
        fact("leakage gates passed before", ", ".join(found.gates_passed) or "none")
        fact("compared with", found.reference_id)
        fact("score", found.score)
        fact("gate version", found.gate_version)
        return
    heading("Kept: every gate let it through")
    fact("leakage gates passed", ", ".join(found.gates_passed))
    fact("gate version", found.gate_version)
    for side, name, score in (
        ("test item", found.nearest_test_id, found.nearest_test_score),
        ("training example", found.nearest_train_id, found.nearest_train_score),
    ):
        near = "none" if name is None or score is None else f"{name}, ROUGE-L {score:.3f}"
        fact(f"nearest {side}", near)
