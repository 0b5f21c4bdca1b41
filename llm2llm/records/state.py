"""What has happened to each seed so far: data/sets/i/state.parquet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SeedState:
    """One seed: its verdicts in iteration order, requests sent for it, examples kept from it."""

    seed_id: str
    verdicts: list[str]
    n_requests: int
    n_kept: int
