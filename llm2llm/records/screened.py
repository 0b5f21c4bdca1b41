"""The outcome of screening: data/iterations/i/screened/{kept,rejected}.parquet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """A candidate that every gate let through, with its nearest test item and training example.

    Scores are ROUGE-L F (0 to 1); null where there was nothing to compare with.
    """

    example_id: str
    seed_id: str
    request_id: str
    input: str
    target: str
    gate_version: str
    nearest_test_id: str | None
    nearest_test_score: float | None
    nearest_train_id: str | None
    nearest_train_score: float | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A candidate that a gate stopped, or (gate `parse`, no input) a response with none in it.

    `position` is the candidate's place in its response, from 0; `reference_id` and `score` name
    what it was too close to, null for gates that compare with nothing.
    """

    request_id: str
    seed_id: str
    position: int
    input: str | None
    target: str | None
    gate: str
    reason: str
    reference_id: str | None
    score: float | None
    gate_version: str
