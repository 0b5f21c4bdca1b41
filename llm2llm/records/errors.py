"""Seeds that the student got wrong: data/iterations/i/errors.parquet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeedError:
    """One seed answered wrong or unparsable in this iteration.

    `n_wrong_in_a_row` counts this iteration too; `ever_right` looks at earlier ones;
    `n_requests` were sent for the seed before; `ask` is false when its cap is reached.
    """

    seed_id: str
    iteration: int
    verdict: str
    text: str
    answer: str | None
    n_wrong_in_a_row: int
    ever_right: bool
    n_requests: int
    ask: bool
