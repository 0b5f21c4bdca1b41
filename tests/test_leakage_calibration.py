"""Claims about calibrated cuts."""

from hypothesis import given
from hypothesis import strategies as st

from llm2llm.leakage.calibration import calibrate, min_rows

SCORES = st.lists(st.integers(0, 100).map(lambda n: n / 100), min_size=20, max_size=60)


@given(SCORES)
def test_the_cut_is_the_lowest_that_holds_the_rate(scores: list[float]) -> None:
    """At the cut the share is held, one step lower it is not, within the two bounds."""
    cut = calibrate(scores, flag_rate=0.05, default=0.8, strictest=0.6, loosest=0.95)
    assert cut.source == "calibrated"
    assert 0.6 <= cut.value <= 0.95
    share = sum(score >= cut.value for score in scores) / len(scores)
    assert cut.share == share
    assert share <= 0.05 or cut.value == 0.95
    lower = sum(score >= round(cut.value - 0.01, 6) for score in scores) / len(scores)
    assert lower > 0.05 or cut.value == 0.6


def test_too_few_rows_leave_the_default() -> None:
    """Where the rate cannot be told the default stands, and the share is still reported."""
    assert min_rows(0.005) == 200
    few = calibrate([0.9] * 199, flag_rate=0.005, default=0.8, strictest=0.6, loosest=0.95)
    assert (few.value, few.source, few.share, few.n_rows) == (0.8, "default", 1.0, 199)
    none = calibrate([], flag_rate=0.005, default=0.8, strictest=0.6, loosest=0.95)
    assert (none.value, none.share) == (0.8, None)


def test_the_ceiling_holds_though_more_is_flagged() -> None:
    """Rows that all look like test items do not loosen the cut beyond the ceiling."""
    cut = calibrate([1.0] * 300, flag_rate=0.005, default=0.8, strictest=0.6, loosest=0.95)
    assert (cut.value, cut.share) == (0.95, 1.0)
