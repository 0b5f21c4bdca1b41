"""Tell what came of one seed: verdicts, requests, descendants kept and rejected."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from llm2llm.lineage.finding import content_id, find_seed
from llm2llm.lineage.paying import costs
from llm2llm.lineage.run import Run, open_run, rows
from llm2llm.records.predictions import Prediction
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Request:
    """One request for the seed, to write or to solve; `failure` is null when it was answered."""

    request_id: str
    purpose: str
    draw: int
    status: str
    failure: str | None
    n_prompt_tokens: int | None
    n_completion_tokens: int | None


@dataclass(frozen=True, slots=True)
class Descendant:
    """One candidate; `gate`, `reason`, `reference_id` and `score` stand for a rejection only."""

    candidate_id: str | None
    request_id: str
    kept: bool
    gate: str | None
    reason: str | None
    reference_id: str | None
    score: float | None


@dataclass(frozen=True, slots=True)
class SeedIteration:
    """What one iteration did with the seed; `verdict` is null until the student answered."""

    iteration: int
    verdict: str | None
    answer: str | None
    requests: list[Request]
    descendants: list[Descendant]


@dataclass(frozen=True, slots=True)
class Blame:
    """The story of one seed.

    `fixed` says that the newest student gets it right; `fixed_in` and `broke_in` list the
    iterations whose student was right after a wrong one, and wrong after a right one. Token
    counts are null where the teacher reported none, `cost` where the ledger lacks the cost of any
    of the requests.
    """

    seed: SplitRow
    fixed: bool
    fixed_in: list[int]
    broke_in: list[int]
    n_requests: int
    n_kept: int
    n_rejected: int
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
    cost: float | None
    iterations: list[SeedIteration]


def blame(root: Path, given: str, store: Path | None = None) -> Blame:
    """Tell the story of the seed whose id is, or starts with, `given`.

    What it cost is in the ledger of `store` alone.
    """
    run = open_run(root)
    seed = find_seed(run, given)
    iterations = [
        _iteration(run, iteration, seed.example_id)
        for iteration in range(run.n_iterations + 1)
        if run.predictions(iteration).exists()
    ]
    right = [each.verdict == "right" for each in iterations if each.verdict is not None]
    turns = [(i, right[i - 1], right[i]) for i in range(1, len(right))]
    requests = [request for each in iterations for request in each.requests]
    descendants = [descendant for each in iterations for descendant in each.descendants]
    n_kept = sum(descendant.kept for descendant in descendants)
    return Blame(
        seed=seed,
        fixed=bool(right) and right[-1],
        fixed_in=[i for i, before, after in turns if after and not before],
        broke_in=[i for i, before, after in turns if before and not after],
        n_requests=len(requests),
        n_kept=n_kept,
        n_rejected=len(descendants) - n_kept,
        n_prompt_tokens=_total([request.n_prompt_tokens for request in requests]),
        n_completion_tokens=_total([request.n_completion_tokens for request in requests]),
        cost=_cost(store, [request.request_id for request in requests]),
        iterations=iterations,
    )


def _cost(store: Path | None, request_ids: list[str]) -> float | None:
    """Sum what the requests cost; what is known of some only would pass for all of it."""
    if store is None:
        return None
    known = [cost for cost in costs(store, request_ids).values() if cost is not None]
    return sum(known, 0.0) if len(known) == len(set(request_ids)) else None


def _iteration(run: Run, iteration: int, seed_id: str) -> SeedIteration:
    path = run.predictions(iteration)
    answers = rows(path, Prediction, split="seed", example_id=seed_id)
    descendants = [
        Descendant(row.example_id, row.request_id, True, None, None, None, None)
        for row in _of_seed(run, iteration, "screened/kept.parquet", Kept, seed_id)
    ]
    for row in _of_seed(run, iteration, "screened/rejected.parquet", Rejected, seed_id):
        descendants.append(
            Descendant(
                candidate_id=content_id(row),
                request_id=row.request_id,
                kept=False,
                gate=row.gate,
                reason=row.reason,
                reference_id=row.reference_id,
                score=row.score,
            )
        )
    return SeedIteration(
        iteration=iteration,
        verdict=answers[0].verdict if answers else None,
        answer=answers[0].answer if answers else None,
        requests=[
            Request(
                request_id=row.request_id,
                purpose=row.purpose,
                draw=row.draw,
                status=row.status,
                failure=row.failure,
                n_prompt_tokens=row.n_prompt_tokens,
                n_completion_tokens=row.n_completion_tokens,
            )
            for row in _of_seed(run, iteration, "responses.parquet", Response, seed_id)
        ],
        descendants=descendants,
    )


def _of_seed(
    run: Run, iteration: int, name: str, record: type[Record], seed_id: str
) -> list[Record]:
    """Fetch the seed's rows; none after the last augmentation, whatever files an old run left."""
    path = run.in_iteration(iteration, name)
    if iteration >= run.n_iterations or not path.exists():
        return []
    return rows(path, record, seed_id=seed_id)


def _total(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
