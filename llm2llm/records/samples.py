"""Answers drawn besides the likeliest one: data/iterations/i/samples.parquet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """One draw, raw and graded; `draw` counts those of one row from 0, the rest as in Prediction.

    The file has no rows where `predict.samples` is 1.
    """

    split: str
    example_id: str
    draw: int
    text: str
    answer: str | None
    verdict: str
    truncated: bool
    n_tokens: int
