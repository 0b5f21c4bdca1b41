"""Set a gate's cut where it flags at most a stated share of real rows that are no test items."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEP = 0.01


@dataclass(frozen=True, slots=True)
class Cut:
    """A score from which on a text is flagged, and how it came about.

    `share` of `n_rows` real rows reach it; null without any rows.
    """

    value: float
    source: str
    share: float | None
    n_rows: int


def min_rows(flag_rate: float) -> int:
    """Count the rows needed to tell the flag rate at all: at least one of them may be flagged."""
    return math.ceil(1 / flag_rate)


def calibrate(
    scores: Sequence[float], *, flag_rate: float, default: float, strictest: float, loosest: float
) -> Cut:
    """Choose the lowest cut, in steps of .01, at which at most `flag_rate` of the rows are flagged.

    `scores` are those of real rows with their closest test item. The cut stays between `strictest`
    and `loosest`: below, a test set unlike the training rows would drag it to where chance
    decides; above, only near-exact copies would be found. With fewer rows than `min_rows` the
    default stands.
    """
    if len(scores) < min_rows(flag_rate):
        return _cut(default, "default", scores)
    n_steps = round((loosest - strictest) / _STEP)
    for step in range(n_steps):
        cut = _cut(round(strictest + step * _STEP, 6), "calibrated", scores)
        if cut.share is not None and cut.share <= flag_rate:
            return cut
    return _cut(loosest, "calibrated", scores)


def _cut(value: float, source: str, scores: Sequence[float]) -> Cut:
    n_flagged = sum(score >= value for score in scores)
    return Cut(value, source, n_flagged / len(scores) if scores else None, len(scores))
