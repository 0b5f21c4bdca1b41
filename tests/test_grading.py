"""One grader gives every verdict, and what follows from verdicts is counted exactly."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.exceptions import CountError
from llm2llm.grading import (
    RIGHT,
    UNPARSABLE,
    WRONG,
    Graded,
    accuracy,
    grade,
    seed_errors,
    suspected_label_errors,
)
from llm2llm.records.predictions import Prediction
from llm2llm.records.state import SeedState
from llm2llm.tasks.sections import AnswerFormat

FINAL = AnswerFormat(kind="number", pattern=r"####[ \t]*([^\n]*)", labels=None)


def prediction(seed_id: str, verdict: str, split: str = "seed") -> Prediction:
    """Make a prediction whose text and answer tell whose it is."""
    return Prediction(split, seed_id, f"text {seed_id}", f"answer {seed_id}", verdict, False, 3)


def state(seed_id: str, *verdicts: str, n_requests: int = 0, n_kept: int = 0) -> SeedState:
    """Make a seed's state."""
    return SeedState(seed_id, list(verdicts), n_requests, n_kept)


@pytest.mark.parametrize(
    ("gold", "text", "graded"),
    [
        ("5", "#### 5.0", Graded("5", RIGHT)),
        ("1,000", "#### $1000", Graded("1000", RIGHT)),
        ("5", "#### -5", Graded("-5", WRONG)),
        ("1/2", "#### 12", Graded("12", WRONG)),
        ("5", "5", Graded(None, UNPARSABLE)),
        ("none", "no answer", Graded(None, UNPARSABLE)),
        ("none", "#### 5", Graded("5", WRONG)),
    ],
)
def test_verdicts_are_right_wrong_or_unparsable(gold: str, text: str, graded: Graded) -> None:
    """A missing answer is never right, whatever the gold answer is."""
    assert grade(FINAL, gold, text) == graded


@given(st.lists(st.sampled_from([RIGHT, WRONG, UNPARSABLE]), min_size=1, max_size=200))
def test_accuracy_counts_every_verdict_inside_its_interval(verdicts: list[str]) -> None:
    """Counts add up, and the share lies in an interval within 0 to 1."""
    result = accuracy(verdicts)
    assert result.n == len(verdicts)
    assert result.n_right + result.n_unparsable + verdicts.count(WRONG) == result.n
    assert 0 <= result.low <= result.share <= result.high <= 1
    assert result.low < result.high


def test_interval_is_wilson_s() -> None:
    """For 8 of 10 the bounds solve (p - s)^2 = z^2 p (1 - p) / n, Wilson's definition."""
    result = accuracy([RIGHT] * 8 + [WRONG] * 2)
    for bound in (result.low, result.high):
        z = abs(bound - 0.8) / math.sqrt(bound * (1 - bound) / 10)
        assert z == pytest.approx(1.96, abs=0.001)


def test_no_verdicts_tell_nothing() -> None:
    """Of no verdicts nothing is known: the interval is everything."""
    result = accuracy([])
    assert (result.n, result.share, result.low, result.high) == (0, 0.0, 0.0, 1.0)


def test_errors_are_the_seeds_not_right_in_the_order_of_states() -> None:
    """Wrong and unparsable seeds are errors with their history; other splits are passed over."""
    states = [
        state("c", RIGHT, WRONG, n_requests=3, n_kept=2),
        state("b", WRONG, RIGHT),
        state("a", WRONG, UNPARSABLE, n_requests=2, n_kept=1),
    ]
    predictions = [
        prediction("a", UNPARSABLE),
        prediction("b", RIGHT),
        prediction("c", WRONG),
        prediction("z", WRONG, split="test"),
    ]
    errors = seed_errors(predictions, states, iteration=2, max_examples_per_seed=2)
    assert [e.seed_id for e in errors] == ["c", "a"]
    assert [e.n_wrong_in_a_row for e in errors] == [2, 3]
    assert [e.ever_right for e in errors] == [True, False]
    assert [e.n_requests for e in errors] == [3, 2]
    assert [e.ask for e in errors] == [False, True]
    assert [(e.iteration, e.verdict, e.text) for e in errors] == [
        (2, WRONG, "text c"),
        (2, UNPARSABLE, "text a"),
    ]


def test_without_a_cap_every_error_is_asked_about() -> None:
    """No cap means no seed is left out."""
    errors = seed_errors(
        [prediction("a", WRONG)],
        [state("a", n_kept=10**6)],
        iteration=0,
        max_examples_per_seed=None,
    )
    assert [e.ask for e in errors] == [True]


def test_no_errors_is_an_answer() -> None:
    """When every seed is right there is nothing to list, and nothing fails."""
    right = [prediction("a", RIGHT)]
    assert seed_errors(right, [state("a")], iteration=0, max_examples_per_seed=None) == []
    assert seed_errors([], [], iteration=0, max_examples_per_seed=None) == []


@pytest.mark.parametrize(
    "ids", [[], ["a"], ["a", "b", "c"], ["a", "c"], ["a", "a"], ["a", "b", "b"]]
)
def test_lost_or_doubled_predictions_fail(ids: list[str]) -> None:
    """Predictions and states that do not name the same seeds once each are refused."""
    with pytest.raises(CountError, match="iteration 4"):
        seed_errors(
            [prediction(i, WRONG) for i in ids],
            [state("a"), state("b")],
            iteration=4,
            max_examples_per_seed=None,
        )


def test_never_right_seeds_are_suspects_after_two_students() -> None:
    """A seed is suspected when at least two students tried it and none was right."""
    states = [
        state("once"),
        state("twice", UNPARSABLE),
        state("was right", RIGHT, WRONG),
        state("right at last", WRONG, WRONG),
        state("not asked", WRONG, WRONG),
    ]
    final = {"once": WRONG, "twice": WRONG, "was right": WRONG, "right at last": RIGHT}
    assert suspected_label_errors(states, final) == ["twice", "not asked"]
