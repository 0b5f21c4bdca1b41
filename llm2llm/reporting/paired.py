"""How much better one student is than another on the same items, with its uncertainty."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.exceptions import CountError
from llm2llm.grading import RIGHT, accuracy
from llm2llm.records.predictions import Prediction


@dataclass(frozen=True, slots=True)
class Gain:
    """The difference of two accuracies, with a 95 % interval, and the items that make it."""

    n: int
    difference: float
    low: float
    high: float
    n_only_first_right: int
    n_only_second_right: int


def gain(
    first: Sequence[Prediction], second: Sequence[Prediction], split: str = "test"
) -> Gain | None:
    """Compare two students on one split, item by item; null where the split is empty.

    Raises CountError unless both answered the same items.
    """
    right = [_right_by_id(predictions, split) for predictions in (first, second)]
    if right[0].keys() != right[1].keys():
        differing = sorted(right[0].keys() ^ right[1].keys())
        raise CountError(
            f"two students answered different {split} items, {differing[0][0]} among them;"
            " `dvc repro --force predict-control` makes the predictions again"
        )
    if not right[0]:
        return None
    pairs = [(right[0][name], right[1][name]) for name in right[0]]
    return paired_gain(
        pairs.count((True, True)),
        pairs.count((True, False)),
        pairs.count((False, True)),
        pairs.count((False, False)),
    )


def paired_gain(n_both: int, n_first: int, n_second: int, n_neither: int) -> Gain:
    """Compute the difference of paired proportions and its 95 % interval, of one pair or more.

    Newcombe 1998, Statistics in Medicine 17, 2635-2650, method 10: the two Wilson intervals
    combined by squares, with the correlation phi of the pairs, whose numerator is reduced by n/2
    where it is positive. Unlike Wald's it holds for few discordant pairs and shares near 0 or 1.
    """
    n = n_both + n_first + n_second + n_neither
    first = accuracy([RIGHT] * (n_both + n_first) + [""] * (n_second + n_neither))
    second = accuracy([RIGHT] * (n_both + n_second) + [""] * (n_first + n_neither))
    margins = (
        (n_both + n_first) * (n_second + n_neither) * (n_both + n_second) * (n_first + n_neither)
    )
    concordance = n_both * n_neither - n_first * n_second
    numerator = max(concordance - n / 2, 0.0) if concordance > 0 else float(concordance)
    phi = numerator / math.sqrt(margins) if margins else 0.0
    difference = (n_first - n_second) / n
    below = _combine(first.share - first.low, second.high - second.share, phi)
    above = _combine(first.high - first.share, second.share - second.low, phi)
    return Gain(n, difference, difference - below, difference + above, n_first, n_second)


def _combine(one: float, other: float, phi: float) -> float:
    return math.sqrt(max(one**2 - 2 * phi * one * other + other**2, 0.0))


def _right_by_id(predictions: Sequence[Prediction], split: str) -> dict[tuple[str, int], bool]:
    """Key by id and occurrence: a test file may hold the same row twice."""
    met: Counter[str] = Counter()
    right = {}
    for prediction in predictions:
        if prediction.split == split:
            right[prediction.example_id, met[prediction.example_id]] = prediction.verdict == RIGHT
            met[prediction.example_id] += 1
    return right
