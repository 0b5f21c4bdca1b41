"""Find pairs within a cut by their rarest words: two such texts have one of those in common."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from llm2llm.leakage.reach import Numbers, Reach
from llm2llm.leakage.signatures import Signed, capped, cheapest, counts_of, set_places

_WINDOW = 24  # entries compared at a time: of the list of one word, its end in the next one
_TILE = 1 << 13  # windows compared at a time: their intermediate results stay in a core's cache
_WINDOWS = 1 << 18  # that are put in order at a time
_WORDS = 1 << 18  # sorted at a time
_NO_WORD = np.int32(2**31 - 1)


@dataclass(frozen=True, slots=True)
class RareWords:
    """For each word the references that have it among their rarest, shortest first.

    What stands before two texts' rarest common word, in either one's words sorted by rarity, the
    other lacks: if they meet the cut it is little, and the word among the rarest of both. Where
    it stands in each, their lengths must leave room for that.

    `ranks` gives each word code its place among all, rarest first; `classes` each length one of
    `n_classes`, so that their table, of the first entry for each word and class, is no longer
    than the list. `longest` is how long a text may be to meet the cut with an entry's text.
    """

    reach: Reach
    ranks: NDArray[np.int32]
    classes: Numbers
    n_classes: int
    begins: NDArray[np.int32]
    texts: NDArray[np.int32]
    longest: NDArray[np.int32]
    windows: list[NDArray[np.void]]  # one per 64 bits: each entry's signature and those after it

    @classmethod
    def of(cls, references: Signed, reach: Reach) -> "RareWords":
        """List the references; words are rare that occur seldom in them, in all."""
        occurring = np.bincount(references.codes, minlength=1)
        occurring[0] = 0  # no word
        order = np.argsort(occurring, kind="stable")
        ranks = np.empty(len(order), np.int32)
        ranks[order] = np.arange(len(order))
        parts = list(_rarest(references, slice(0, len(references.n_words)), ranks, reach))
        texts, words, places = (np.concatenate(columns) for columns in zip(*parts, strict=True))
        n_words = references.n_words[texts]
        n_classes = -(-len(texts) // len(order))
        shorter = np.cumsum(np.bincount(n_words))
        classes = np.concatenate([[0], shorter[:-1] * n_classes // len(texts)])
        entries = words * n_classes + classes[n_words]
        by_entry = np.argsort(entries)
        n_entries = np.bincount(entries, minlength=len(order) * n_classes)
        beyond = np.zeros(_WINDOW, np.int32)  # what the last windows hold besides
        texts = np.concatenate([texts[by_entry], beyond], dtype=np.int32, casting="same_kind")
        longest = reach.longest(n_words, places)[by_entry]
        both = 2 * int(references.n_words.mean())
        width, _ = cheapest(both, reach.limit(both), max(references.by_width))
        return cls(
            reach,
            ranks,
            classes,
            n_classes,
            np.concatenate([[0], np.cumsum(n_entries)]).astype(np.int32),
            texts,
            np.concatenate([longest, beyond], dtype=np.int32, casting="same_kind"),
            [_windows(plane[texts]) for plane in references.by_width[width]],
        )

    def look_up(self, queries: Signed, q: slice) -> Iterator["LookedUp"]:
        """Yield where the rarest words of some queries are listed, some queries at a time."""
        for texts, words, places in _rarest(queries, q, self.ranks, self.reach):
            n_words = queries.n_words[texts]
            longest = self.reach.longest(n_words, places)
            limits = self.reach.limits(n_words + longest)
            limits -= n_words - queries.n_known[texts]
            known = len(self.classes) - 1
            least = self.classes[np.minimum(self.reach.shortest(n_words), known)]
            most = self.classes[np.minimum(longest, known)]
            first = self.begins[words * self.n_classes + least]
            last = self.begins[words * self.n_classes + most + 1]
            some = (last > first) & (limits >= 0)
            low = capped(limits[some], len(self.windows))
            yield LookedUp(texts[some], first[some], last[some], low)

    def close(self, queries: Signed, found: "LookedUp") -> Iterator[tuple[Numbers, Numbers]]:
        """Yield those of the pairs looked up whose signatures differ little, some repeatedly."""
        n_windows = -(-(found.last - found.first) // _WINDOW)
        for start, end in _parts(found.texts, n_windows):
            # In the list's order: what is compared next to each other lies next to each other.
            order = start + np.argsort(found.first[start:end])
            sizes = n_windows[order]
            owners = np.repeat(order, sizes)
            before = np.cumsum(sizes) - sizes
            first = np.repeat(found.first[order] - before * _WINDOW, sizes)
            first += np.arange(len(owners)) * _WINDOW
            near = [
                self._near(queries, found, owners[few : few + _TILE], first[few : few + _TILE])
                for few in range(0, len(owners), _TILE)
            ]
            left, right = zip(*near, strict=True)
            yield np.concatenate(left), np.concatenate(right)

    def _near(
        self, queries: Signed, found: "LookedUp", owners: Numbers, first: Numbers
    ) -> tuple[Numbers, Numbers]:
        """Compare queries with windows; return near pairs of query and reference."""
        n_planes, own = len(self.windows), found.texts[owners]
        differing = np.zeros((), counts_of(n_planes))
        for plane, windows in zip(queries.by_width[n_planes], self.windows, strict=True):
            bits = windows[first].view(np.uint64).reshape(-1, _WINDOW)
            bits ^= plane[own, None]
            differing = np.bitwise_count(bits) + differing
        limits = found.limits[owners]
        window, inside = np.divmod(set_places(differing <= limits[:, None]), _WINDOW)
        entries, owners = first[window] + inside, owners[window]
        left = found.texts[owners]
        near = (entries < found.last[owners]) & (queries.n_words[left] <= self.longest[entries])
        return left[near], self.texts[entries[near]]


@dataclass(frozen=True, slots=True)
class LookedUp:
    """For queries, by length, the entries that one of their words has, and a limit to keep to."""

    texts: Numbers
    first: Numbers
    last: Numbers
    limits: Numbers


def _windows(plane: NDArray[np.uint64]) -> NDArray[np.void]:
    """View a row as windows that overlap, each of them one item: so they are copied fastest."""
    n_windows = len(plane) - _WINDOW + 1
    return np.ndarray(n_windows, np.dtype((np.void, 8 * _WINDOW)), plane, strides=(8,))


def _rarest(
    signed: Signed, part: slice, ranks: NDArray[np.int32], reach: Reach
) -> Iterator[tuple[Numbers, Numbers, Numbers]]:
    """Yield texts, the rarest words that must be looked at, and their places among the text's.

    A word that occurs again is left out, and so is one that no reference has.
    """
    start, end = part.start, part.stop
    while start < end:
        shortest = int(signed.n_words[start])
        alike = int(np.searchsorted(signed.n_words, 2 * shortest, "right"))
        stop = min(end, alike, start + max(1, _WORDS // max(1, shortest)))
        n_words = signed.n_words[start:stop, None]
        columns = np.arange(int(n_words[-1, 0]))
        begun = sliding_window_view(signed.codes, len(columns))
        words = ranks[begun[signed.starts[start:stop]]]
        np.copyto(words, _NO_WORD, where=columns >= n_words)
        words.sort(axis=1)
        n_rarest = reach.rarest(n_words)
        words = words[:, : int(n_rarest.max(initial=0))]
        used = (columns[: words.shape[1]] < n_rarest) & (words > 0)
        used[:, 1:] &= words[:, 1:] != words[:, :-1]
        texts, places = np.nonzero(used)
        yield texts + start, words[texts, places].astype(np.int64), places
        start = stop


def _parts(texts: Numbers, sizes: Numbers) -> Iterator[tuple[int, int]]:
    """Part rows where a text begins, so that a part has some `_WINDOWS` in sum."""
    total = np.cumsum(sizes)
    begins = np.flatnonzero(np.diff(texts, prepend=-1))
    start = 0
    while start < len(texts):
        full = np.searchsorted(total, total[start] + _WINDOWS)
        later = np.searchsorted(begins, max(full, start + 1))
        end = int(begins[later]) if later < len(begins) else len(texts)
        yield start, end
        start = end
