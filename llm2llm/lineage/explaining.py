"""Trace one example back to the seed, the wrong answer, the request and the gates behind it."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from llm2llm.exceptions import DataError
from llm2llm.exclusions import WITHDRAWN
from llm2llm.files import read_json
from llm2llm.lineage.bundled import bundle_of
from llm2llm.lineage.chain import (
    Asked,
    Explanation,
    Outcome,
    Paid,
    Recorded,
    Sibling,
    WrongAnswer,
)
from llm2llm.lineage.finding import (
    HeldExample,
    RejectedCandidate,
    content_id,
    find_example,
    parent_of_edit,
)
from llm2llm.lineage.judged import said_of
from llm2llm.lineage.locked import Locked
from llm2llm.lineage.paying import entries
from llm2llm.lineage.ruling import exported, holds, ruling
from llm2llm.lineage.run import Run, open_run, rows
from llm2llm.records.decisions import DECISIONS
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.predictions import Prediction
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow
from llm2llm.reviewing.decisions import parents, read_decisions

_STAGES = ("train-iter", "predict", "diff-errors", "teacher-batch", "dedupe-against-test", "merge")


def explain(root: Path, given: str, store: Path | None = None) -> Explanation:
    """Explain the example, seed or rejected candidate whose id is, or starts with, `given`.

    Of what a person edited, the example that it was is explained, and what became of it.
    With a `store` its ledger and the project's dvc.lock are looked at too.
    """
    run = open_run(root)
    decisions = read_decisions(root / DECISIONS)
    found = _explain(run, parent_of_edit(run, given, parents(decisions)) or given)
    wrong = found.wrong_answer
    tried = range(run.n_iterations + 1) if wrong is None else [wrong.iteration]
    found = replace(found, judged=said_of(run, found.seed.example_id, tried))
    decision = decisions.get(found.example_id)
    if decision is not None and found.kind == "augmented":
        found = replace(found, review=ruling(run, decision))
    if found.exported or (found.review and found.review.edit_exported):
        found = replace(found, bundle=bundle_of(run))
    if store is None or found.request is None or found.wrong_answer is None:
        return found
    recorded = _recorded(root, found.wrong_answer.iteration)
    return replace(found, paid=_paid(store, found.request.request_id), recorded=recorded)


def _paid(store: Path, request_id: str) -> Paid | None:
    entry = entries(store, [request_id]).get(request_id)
    if entry is None:
        return None
    return Paid(entry.created, entry.cost, entry.latency_s, entry.n_attempts)


def _recorded(root: Path, iteration: int) -> tuple[Recorded, ...]:
    locked = Locked(root)
    found = {stage: locked.fingerprints(f"{stage}@{iteration}") for stage in _STAGES}
    return tuple(Recorded(stage, *hashes) for stage, hashes in found.items() if hashes)


def _explain(run: Run, given: str) -> Explanation:
    place = find_example(run, given)
    if isinstance(place, RejectedCandidate):
        return _explain_rejected(run, place)
    found = place.example_id
    sets = _sets_with(run, place)
    row = _row_at(run.examples(sets[-1]), place.place, [field.name for field in fields(Example)])[1]
    example = Example(**row)
    if example.iteration is None or example.request_id is None:
        return Explanation(
            kind="seed",
            example_id=found,
            input=example.input,
            target=example.target,
            sets=sets,
            exported=exported(run, found),
            seed=_seed(run, found),
            verdicts=verdicts(run, found),
            wrong_answer=None,
            request=None,
            screening=None,
            siblings=[],
        )
    iteration = example.iteration
    kept = _one(run, iteration, "screened/kept.parquet", Kept, example_id=found)
    return Explanation(
        kind="augmented",
        example_id=found,
        input=example.input,
        target=example.target,
        sets=sets,
        exported=exported(run, found),
        seed=_seed(run, example.seed_id),
        verdicts=[],
        wrong_answer=_wrong_answer(run, iteration, example.seed_id, example.checkpoint),
        request=_asked(run, iteration, example.request_id),
        screening=Outcome(
            kept=True,
            gate_version=kept.gate_version,
            gates_passed=_leakage_gates(run, iteration),
            gate=None,
            reason=None,
            reference_id=None,
            score=None,
            nearest_test_id=kept.nearest_test_id,
            nearest_test_score=kept.nearest_test_score,
            nearest_train_id=kept.nearest_train_id,
            nearest_train_score=kept.nearest_train_score,
        ),
        siblings=_siblings(run, iteration, example.request_id, found),
    )


def verdicts(run: Run, seed_id: str) -> list[str]:
    """List what students 0, 1, ... made of a seed, as far as they have answered."""
    found = []
    for iteration in range(run.n_iterations + 1):
        path = run.predictions(iteration)
        if not path.exists():
            break
        found += [p.verdict for p in rows(path, Prediction, split="seed", example_id=seed_id)]
    return found


def _explain_rejected(run: Run, found: RejectedCandidate) -> Explanation:
    row, iteration = found.row, found.iteration
    return Explanation(
        kind="rejected",
        example_id=found.candidate_id,
        input=row.input or "",
        target=row.target or "",
        sets=[],
        exported=False,
        seed=_seed(run, row.seed_id),
        verdicts=[],
        wrong_answer=_wrong_answer(run, iteration, row.seed_id, _checkpoint(run, iteration)),
        request=_asked(run, iteration, row.request_id),
        screening=Outcome(
            kept=False,
            gate_version=row.gate_version,
            gates_passed=_passed_before(row.gate, _leakage_gates(run, iteration)),
            gate=row.gate,
            reason=row.reason,
            reference_id=row.reference_id,
            score=row.score,
            nearest_test_id=None,
            nearest_test_score=None,
            nearest_train_id=None,
            nearest_train_score=None,
        ),
        siblings=_siblings(run, iteration, row.request_id, found.candidate_id),
    )


def _sets_with(run: Run, held: HeldExample) -> list[int]:
    """List the sets that hold an example of the newest set.

    Sets grow at their end, so one row of each tells; one that did not grow so is searched whole.
    """
    numbers = run.sets()
    path = run.examples(numbers[-1])
    found = []
    for number in numbers:
        at, row = _row_at(run.examples(number), held.place, ["example_id"])
        newest = _row_at(path, at, ["example_id"])[1] if number != numbers[-1] else row
        if number == numbers[-1] and row["example_id"] != held.example_id:
            raise DataError(f"{path}: changed while it was read; ask again")
        if row["example_id"] != newest["example_id"]:
            inside = holds(run.examples(number), held.example_id)
        else:
            inside = at == held.place
        if inside:
            found.append(number)
    return found


def _row_at(path: Path, place: int, columns: list[str]) -> tuple[int, dict[str, Any]]:
    """Give the row at a place of a set, or its last one, and which place that was."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as source:
        place = min(place, source.metadata.num_rows - 1)
        left = place
        for group in range(source.metadata.num_row_groups):
            n_rows = source.metadata.row_group(group).num_rows
            if left < n_rows:
                table = source.read_row_group(group, columns=columns)
                return place, table.slice(left, 1).to_pylist()[0]
            left -= n_rows
    raise DataError(f"{path}: no rows, expected the seeds at least; `dvc repro` makes it again")


def _checkpoint(run: Run, iteration: int) -> str | None:
    path = run.in_iteration(iteration, "student/manifest.json")
    return str(read_json(path)["checkpoint_sha256"]) if path.exists() else None


def _one(run: Run, iteration: int, name: str, record: type[Any], **equals: str) -> Any:
    path = run.in_iteration(iteration, name)
    found = rows(path, record, **equals)
    if len(found) != 1:
        wanted = ", ".join(f"{field} {value}" for field, value in equals.items())
        raise DataError(
            f"{path}: found {len(found)} rows with {wanted}, expected 1; the file and the set are"
            " of different runs: `dvc repro` (or `dvc checkout`) brings them together"
        )
    return found[0]


def _seed(run: Run, seed_id: str) -> SplitRow:
    found = rows(run.split("seed"), SplitRow, example_id=seed_id)
    if not found:
        raise DataError(
            f"{run.split('seed')}: no row {seed_id}; the file and the set are of different runs:"
            " `dvc repro` (or `dvc checkout`) brings them together"
        )
    return found[0]


def _wrong_answer(run: Run, iteration: int, seed_id: str, checkpoint: str | None) -> WrongAnswer:
    error: SeedError = _one(run, iteration, "errors.parquet", SeedError, seed_id=seed_id)
    return WrongAnswer(
        iteration=iteration,
        checkpoint=checkpoint,
        verdict=error.verdict,
        text=error.text,
        answer=error.answer,
        n_wrong_in_a_row=error.n_wrong_in_a_row,
        ever_right=error.ever_right,
    )


def _asked(run: Run, iteration: int, request_id: str) -> Asked:
    response: Response = _one(run, iteration, "responses.parquet", Response, request_id=request_id)
    return Asked(
        request_id=request_id,
        draw=response.draw,
        prompt_sha256=response.prompt_sha256,
        teacher=response.teacher,
        messages=json.loads(response.request)["messages"],
        status=response.status,
        text=response.text,
        finish_reason=response.finish_reason,
        n_prompt_tokens=response.n_prompt_tokens,
        n_completion_tokens=response.n_completion_tokens,
    )


def _leakage_gates(run: Run, iteration: int) -> list[str]:
    """Name the leakage gates of an iteration, in order, as its certificate does."""
    path = run.in_iteration(iteration, "screened/certificate.json")
    try:
        return [str(gate["gate"]) for gate in read_json(path)["gates"]]
    except (KeyError, TypeError):
        raise DataError(
            f"{path}: found no list of gates, expected `gates` with the name of each; another"
            f" version wrote it: `dvc repro --force dedupe-against-test@{iteration}`"
        ) from None


def _passed_before(gate: str, gates: list[str]) -> list[str]:
    """List the leakage gates before the one that stopped a candidate.

    Duplicates are looked for after all of them, and withdrawn is what passed; everything else is
    looked at before.
    """
    if gate in ("duplicate", WITHDRAWN):
        return gates
    return gates[: gates.index(gate)] if gate in gates else []


def _siblings(run: Run, iteration: int, request_id: str, but: str) -> list[Sibling]:
    kept_path = run.in_iteration(iteration, "screened/kept.parquet")
    rejected_path = run.in_iteration(iteration, "screened/rejected.parquet")
    kept = rows(kept_path, Kept, request_id=request_id)
    siblings = [Sibling(row.example_id, True, None, None) for row in kept]
    for row in rows(rejected_path, Rejected, request_id=request_id):
        siblings.append(Sibling(content_id(row), False, row.gate, row.reason))
    return [sibling for sibling in siblings if sibling.candidate_id != but]
