"""A row of the raw data, after its fields were read: data/split/{seed,dev,rest,test}.parquet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SplitRow:
    """One input with its gold answer; `source_row` is the 1-based line in the raw file."""

    example_id: str
    input: str
    target: str
    answer: str
    source_row: int
