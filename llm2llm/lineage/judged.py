"""What the judge of free text said of the answers to a seed."""

from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.lineage.run import Run, rows
from llm2llm.records.judgments import AnswerJudgment


@dataclass(frozen=True, slots=True)
class SeedJudgment:
    """What it said of one student's likeliest answer, in its own words, and in which request."""

    iteration: int
    opinion: str
    reason: str
    request_id: str


def said_of(run: Run, seed_id: str, iterations: Sequence[int]) -> tuple[SeedJudgment, ...]:
    """List the judgments of the students named; an answer that nobody was asked about has none."""
    found = []
    for iteration in iterations:
        path = run.in_iteration(iteration, "judgments.parquet")
        if not path.exists():
            continue
        found += [
            SeedJudgment(iteration, row.opinion, row.reason, row.request_id)
            for row in rows(path, AnswerJudgment, split="seed", example_id=seed_id)
            if row.draw is None
        ]
    return tuple(found)
