"""The pass rate: how often a student is right when it answers several times."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.exceptions import CountError
from llm2llm.grading import RIGHT
from llm2llm.records.samples import Sample


@dataclass(frozen=True, slots=True)
class PassRate:
    """Of `n` rows with `n_draws` answers each: mean share of right answers, and rows with any."""

    n: int
    n_draws: int
    mean: float
    any_right: float


def pass_rate(samples: Sequence[Sample], split: str = "test") -> PassRate | None:
    """Measure one split; null where nothing was drawn, CountError where draws are missing."""
    draws: dict[int, list[bool]] = defaultdict(list)
    for sample in samples:
        if sample.split == split:
            draws[sample.draw].append(sample.verdict == RIGHT)
    if not draws:
        return None
    counts = {len(right) for right in draws.values()}
    if len(counts) > 1:
        raise CountError(
            f"samples of split {split}: found {sorted(counts)} rows, by draw, expected as many of"
            " each; `dvc repro --force predict` draws again"
        )
    # A row's draws stand at the same place of each draw's list: a test file may hold a row twice.
    rows = list(zip(*draws.values(), strict=True))
    n_right = sum(sum(row) for row in rows)
    return PassRate(
        n=len(rows),
        n_draws=len(draws),
        mean=n_right / (len(rows) * len(draws)),
        any_right=sum(any(row) for row in rows) / len(rows),
    )
