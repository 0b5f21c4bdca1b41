"""Find the pairs that may reach a cut in the cheaper of two ways: compare all, or by rare words."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np

from llm2llm.leakage.rare_words import LookedUp, RareWords
from llm2llm.leakage.reach import Numbers, Reach
from llm2llm.leakage.signatures import (
    EACH_COSTS,
    Signed,
    Tile,
    bands,
    compare_all,
    compare_each,
    share_left,
    tiles,
)

# What is measured of each way, where comparing one plane of a pair among all costs 1.
_WORD_COSTS = 350.0  # to look up a rare word of a query, or to list one of a reference
_LISTED_COSTS = 7.0  # to compare a text that a word is listed for, as much dearer than one of all
_GATHERED = 1 << 16  # pairs compared at a time


class Join:
    """References to find close pairs with, in whichever way costs less for texts of a length.

    Both ways lose no pair. The list of rare words, one for a cut, is made once comparing all
    would have cost as much in sum: few texts never pay for it.
    """

    def __init__(self, references: Signed) -> None:
        self._references = references
        self._bands = bands(references.n_words)
        self._listed: dict[Reach, RareWords] = {}
        self._spent: dict[Reach, float] = {}

    def close_pairs(self, queries: Signed, reach: Reach) -> Iterator[tuple[Numbers, Numbers]]:
        """Yield the places of all pairs that may reach the cut, each once, and of few others."""
        planned = []
        for start, end in bands(queries.n_words):
            q = slice(start, end)
            planned.append((q, list(tiles(queries, q, self._references, reach, self._bands))))
        listed = self._list(reach, sum(tile.cost for _, parts in planned for tile in parts))
        for q, parts in planned:
            found = _looked_up(queries, q, parts, listed) if listed else None
            pairs = (
                chain.from_iterable(compare_all(queries, q, self._references, t) for t in parts)
                if listed is None or found is None
                else chain.from_iterable(listed.close(queries, some) for some in found)
            )
            for left, right in _gathered(pairs):
                close = list(compare_each(queries, self._references, left, right, reach))
                if close:
                    yield _each_once(*_in_one(close))

    def _list(self, reach: Reach, cost: float) -> RareWords | None:
        """Return the list of rare words for a cut; None as long as it does not pay."""
        if reach not in self._listed and reach.cut > 0:
            self._spent[reach] = self._spent.get(reach, 0.0) + cost
            n_rarest = int(reach.rarest(self._references.n_words).sum())
            if self._spent[reach] > _WORD_COSTS * n_rarest > 0:
                self._listed[reach] = RareWords.of(self._references, reach)
        return self._listed.get(reach)


def _looked_up(
    queries: Signed, q: slice, planned: list[Tile], listed: RareWords
) -> list[LookedUp] | None:
    """Return where the queries' rare words are listed; None where comparing all costs less."""
    all_cost = sum(tile.cost for tile in planned)
    if all_cost < _WORD_COSTS * int(listed.reach.rarest(queries.n_words[q]).sum()):
        return None
    found = list(listed.look_up(queries, q))
    n_listed = sum(int((some.last - some.first).sum()) for some in found)
    both, width = 2 * int(queries.n_words[q.start]), len(listed.windows)
    each = width + EACH_COSTS * share_left(both, listed.reach.limit(both), width)
    return found if _LISTED_COSTS * each * n_listed < all_cost else None


def _gathered(pairs: Iterable[tuple[Numbers, Numbers]]) -> Iterator[tuple[Numbers, Numbers]]:
    """Put small parts together, as each that is compared has a cost of its own."""
    waiting: list[tuple[Numbers, Numbers]] = []
    n_waiting = 0
    for part in pairs:
        waiting.append(part)
        n_waiting += len(part[0])
        if n_waiting >= _GATHERED:
            yield _in_one(waiting)
            waiting, n_waiting = [], 0
    if waiting:
        yield _in_one(waiting)


def _each_once(left: Numbers, right: Numbers) -> tuple[Numbers, Numbers]:
    n = int(right.max()) + 1
    return np.divmod(np.unique(left * n + right), n)


def _in_one(parts: list[tuple[Numbers, Numbers]]) -> tuple[Numbers, Numbers]:
    left, right = zip(*parts, strict=True)
    return np.concatenate(left), np.concatenate(right)
