"""Whether a column of targets holds sets of labels, and what stands between them."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# The rarer one is in a text, the surer it separates.
_SEPARATORS = ("|", ";", "\n", ",")
_USUAL = ",;\n"
_LABEL_CHARS = 60


@dataclass(frozen=True, slots=True)
class Sets:
    """The labels found, what separates them (null: the usual), and whether it is beyond doubt.

    It is where labels recombine: each is in two rows at least, and there are fewer of them than
    different targets.
    """

    labels: tuple[str, ...]
    separator: str | None
    sure: bool


def find_sets(targets: Sequence[str], most_labels: int) -> Sets | None:
    """Read targets as sets of at most so many labels; null where they are none."""
    found = [
        sets
        for separator in _SEPARATORS
        if (sets := _with(separator, targets, most_labels)) is not None
    ]
    return min(found, key=lambda sets: len(sets.labels), default=None)


def split(separator: str | None, target: str) -> list[str]:
    """Cut a target into its labels; empty parts do not count."""
    parts = re.split(f"[{_USUAL}]", target) if separator is None else target.split(separator)
    return [part.strip() for part in parts if part.strip()]


def _with(separator: str, targets: Sequence[str], most_labels: int) -> Sets | None:
    sets = [split(separator, target) for target in targets]
    counts = Counter(label for parts in sets for label in set(parts))
    n_several = sum(len(parts) > 1 for parts in sets)
    if (
        not all(sets)
        or not n_several
        or not 1 < len(counts) <= most_labels
        or max(map(len, counts)) > _LABEL_CHARS
    ):
        return None
    usual = separator in _USUAL and not any(set(label) & set(_USUAL) for label in counts)
    return Sets(
        tuple(sorted(counts)),
        None if usual else separator,
        sure=min(counts.values()) > 1 and len(counts) < len(set(targets)),
    )
