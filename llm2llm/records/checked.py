"""What `llm2llm leakcheck` writes: the candidates that are clean, and those that are not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckedKept:
    """A candidate no gate stopped; `row` counts from 1, `record` is the whole row as JSON."""

    row: int
    text: str
    record: str


@dataclass(frozen=True, slots=True)
class CheckedRejected:
    """A candidate that a gate stopped, with the reference that it is too close to."""

    row: int
    text: str
    record: str
    gate: str
    reason: str
    reference_row: int
    reference_text: str
    score: float
