"""The loss curve of a training: a point for some updates, however often states are kept."""

import itertools
import math
from collections.abc import Iterable, Mapping
from typing import Any

# A point is the mean of at least so many updates, and a curve has at most so many points.
_FEWEST_UPDATES = 5
_MOST_POINTS = 100


def updates_per_point(n_updates: int) -> int:
    """Count the updates that one point of a curve is the mean of; the last may have fewer."""
    return max(_FEWEST_UPDATES, math.ceil(n_updates / _MOST_POINTS))


def folded(lines: Iterable[Mapping[str, Any]], every: int) -> list[dict[str, Any]]:
    """Make one line of those of the same `every` updates; lines without a loss are left out.

    A line already folded stays as it is, exactly; so history can be folded after each point.
    """
    windows = itertools.groupby(
        (line for line in lines if "loss" in line), lambda line: (line["step"] - 1) // every
    )
    points = []
    for _, window in windows:
        found = list(window)
        loss = math.fsum(line["loss"] for line in found) / len(found)
        points.append({"step": found[-1]["step"], "loss": loss})
    return points


def curve(lines: Iterable[Mapping[str, Any]], every: int) -> list[dict[str, Any]]:
    """List the points of a curve as the manifest has them, to six digits."""
    return [
        {"update": point["step"], "loss": float(f"{point['loss']:.6g}")}
        for point in folded(lines, every)
    ]
