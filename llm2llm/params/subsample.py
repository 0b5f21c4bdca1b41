"""Section `subsample`: which raw rows become seeds, dev, rest and test."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from llm2llm.params.section import Section


class SubsampleParams(Section):
    """Exactly one of `n_seeds` (rows) and `rate` (share of the train rows, rounded down) is set.

    `duplicates`: equal rows stop the stage, or are dropped and counted. `drop_leaked`: train rows
    that are test items are left out; they are reported either way. `dev` may name a file
    without rows (data/raw/none.jsonl).
    """

    train: str
    test: str
    dev: str
    n_seeds: Annotated[int, Field(ge=1)] | None
    rate: Annotated[float, Field(gt=0, le=1)] | None
    duplicates: Literal["fail", "drop"]
    drop_leaked: bool

    @model_validator(mode="after")
    def _one_size(self) -> "SubsampleParams":
        if (self.n_seeds is None) == (self.rate is None):
            raise ValueError("exactly one of n_seeds and rate is a number, the other null")
        return self
