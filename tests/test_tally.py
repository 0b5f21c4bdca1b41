"""What a line of progress says about a round of requests."""

import pytest

from llm2llm.ledger.database import Entry
from llm2llm.teacher.tally import Tally


def entry(status: str = "answered", tokens: int | None = 10, cost: float | None = 0.5) -> Entry:
    """Make an outcome."""
    answered = status == "answered"
    return Entry(
        request_id="rq-1", seed_id="ex-1", draw=0, backend="openai", request="{}", status=status,
        text="x" if answered else None, finish_reason=None, failure=None if answered else "no",
        raw=None, teacher=None, n_prompt_tokens=tokens, n_completion_tokens=tokens, n_attempts=1,
        latency_s=None, cost=cost, created="",
    )  # fmt: skip


def test_a_line_tells_all_that_is_known() -> None:
    """Failed, in flight, rate, tokens, cost so far and projected, and the time left."""
    tally = Tally(100, n_known=40, begun_s=5.0)
    for _ in range(9):
        tally.add(entry())
    tally.add(entry("failed", None, None))
    tally.n_in_flight = 8
    assert tally.n_done == 50
    # Ten in 20 s leave fifty for 100 s; 4.5 for ten make 27 for sixty.
    assert tally.note(25.0) == (
        "1 failed, 8 in flight, 0.5/s, 180 tokens, cost 4.5000, about 27.0000 in all, 100 s left"
    )


def test_an_unknown_cost_is_said_and_stays_unknown() -> None:
    """One answer without a price makes the sum unknown, not smaller."""
    tally = Tally(3)
    tally.add(entry())
    tally.add(entry(cost=None))
    tally.add(entry())
    assert "cost unknown" in tally.note(1.0)


@pytest.mark.parametrize("elapsed", [0.0, 1.0])
def test_before_the_first_outcome_nothing_is_guessed(elapsed: float) -> None:
    """Without an outcome there is no rate, no projection and no time left."""
    tally = Tally(10, n_in_flight=2)
    assert tally.note(elapsed) == "0 failed, 2 in flight"


def test_what_stays_without_an_answer_is_not_waited_for() -> None:
    """Lost requests are named, and no part of what is left."""
    tally = Tally(4, n_lost=1)
    tally.add(entry(cost=0.0))
    assert (
        tally.note(1.0) == "0 failed, 0 in flight, 1 without an answer, 1.0/s, 20 tokens, 2 s left"
    )
