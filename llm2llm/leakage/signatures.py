"""Bound how far apart texts are by the bits in which their signatures differ."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm2llm.leakage.reach import Numbers, Reach

Signatures = NDArray[np.uint64]  # one row per 64 bits, one column per text

_WORD_BITS = 64
_COUNTERS = _WORD_BITS // 2  # in a plane, of two bits each
_SMALLEST_PLANES = 4
_TILE = 1 << 18  # cells compared at a time: their intermediate results stay in a core's cache
_BAND = 1 << 12  # texts at most that are treated as of one length
_SPARSE_STEP = 1 << 14
_SIGNED_AT_ONCE = 1 << 10
_OWN = 0.8  # share of their words that two texts of one kind lack of each other
_ONE = np.uint8(1)  # of another type it would be counted forty times as slowly
EACH_COSTS = 80.0  # to compare a pair on its own, when one plane of a pair in a tile costs 1


def planes_for(mean_words: float) -> int:
    """Return how many times 64 bits a signature has: enough for texts of so many words."""
    wanted = max(_SMALLEST_PLANES, mean_words / 8)
    return int(2 ** min(7, np.ceil(np.log2(wanted))))


@dataclass(frozen=True, slots=True)
class Signed:
    """Texts by number of words, shortest first, each with signatures of several widths.

    A signature holds, for each of half as many counters as it has bits, how often the words that
    fall on it occur, modulo four and written so that one word more or less changes one bit. Two
    texts of which one becomes the other by adding and deleting d words differ in at most d bits.
    `places` are the texts' places as given, `starts` those of their first words in `codes`, behind
    which as many zeros stand as the longest has words; `n_known` counts the words that have a
    counter at all.
    """

    codes: NDArray[np.uint32]
    starts: Numbers
    places: Numbers
    n_words: Numbers
    n_known: Numbers
    by_width: dict[int, Signatures]

    @classmethod
    def of(cls, codes: NDArray[np.uint32], n_words: Numbers, n_planes: int) -> "Signed":
        """Sign texts whose word codes stand in one row; code 0 is a word without a counter."""
        order = np.argsort(n_words, kind="stable")
        ends = np.concatenate([[0], np.cumsum(n_words)])
        widths = [2**n for n in range(n_planes.bit_length())]
        signed = {width: np.empty((width, len(n_words)), np.uint64) for width in widths}
        n_known = np.empty(len(n_words), np.int64)
        for start in range(0, len(n_words), _SIGNED_AT_ONCE):
            part = slice(start, start + _SIGNED_AT_ONCE)
            block = codes[ends[start] : ends[start + len(n_words[part])]]
            counts, n_known[part] = _counted(block, n_words[part], n_planes * _COUNTERS)
            for width in reversed(widths):
                signed[width][:, part] = _signatures(counts).T
                half = counts.shape[1] // 2
                counts = counts[:, :half] + counts[:, half:]
        by_width = {width: planes.take(order, axis=1) for width, planes in signed.items()}
        padded = np.concatenate([codes, np.zeros(n_words.max(initial=0), np.uint32)])
        return cls(padded, ends[order], order, n_words[order], n_known[order], by_width)


def _counted(
    codes: NDArray[np.uint32], n_words: Numbers, n_counters: int
) -> tuple[NDArray[np.uint8], Numbers]:
    """Return one row of counters per text, and how many of its words are counted there."""
    cells = np.repeat(np.arange(len(n_words)) * n_counters, n_words)
    unknown = np.bincount(cells[codes == 0] // n_counters, minlength=len(n_words))
    cells += codes & np.uint32(n_counters - 1)
    counts = np.zeros((len(n_words), n_counters), np.uint8)
    np.add.at(counts.reshape(-1), cells, _ONE)
    counts[:, 0] -= unknown.astype(np.uint8)  # both modulo 256
    return counts, n_words - unknown


def _signatures(counts: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Write each counter, modulo four, as 00, 10, 11 or 01; return one row of bits per text."""
    n_texts, n_counters = counts.shape
    bits = np.empty((n_texts, 2, n_counters), np.uint8)
    np.add(counts, _ONE, out=bits[:, 0])
    bits[:, 1] = counts
    bits &= np.uint8(2)
    return np.packbits(bits).view(np.uint64).reshape(n_texts, -1)


@dataclass(frozen=True, slots=True)
class Tile:
    """References of similar length to compare with some queries, by so many planes, under a limit.

    `cost` counts in planes of a pair.
    """

    references: slice
    width: int
    limit: int
    cost: float


def tiles(
    queries: Signed, q: slice, references: Signed, reach: Reach, parted: Sequence[tuple[int, int]]
) -> Iterator[Tile]:
    """Yield what queries of similar length must be compared with, under the limit of the longest.

    `parted` are the references' bands. What is left must be compared pair by pair, each under its
    own limit.
    """
    shortest, longest = int(queries.n_words[q.start]), int(queries.n_words[q.stop - 1])
    for start, end in parted:
        least, most = int(references.n_words[start]), int(references.n_words[end - 1])
        limit = reach.limit(longest + most)
        if max(shortest - most, least - longest) <= limit:
            width, cost = cheapest(shortest + least, limit, max(references.by_width))
            n_pairs = (q.stop - q.start) * (end - start)
            yield Tile(slice(start, end), width, limit, n_pairs * cost)


def bands(n_words: Numbers) -> list[tuple[int, int]]:
    """Part sorted lengths where they have grown by an eighth, or a tile is full."""
    parted: list[tuple[int, int]] = []
    start = 0
    while start < len(n_words):
        longest = int(n_words[start] * 1.125) + 1
        end = min(int(np.searchsorted(n_words, longest, "right")), start + _BAND)
        parted.append((start, end))
        start = end
    return parted


def cheapest(n_words: int, limit: int, widest: int) -> tuple[int, float]:
    """Choose the number of planes with which comparing all, then each that is left, costs least.

    Return it with the cost of a pair.
    """
    widths = [2**n for n in range(widest.bit_length())]
    return min(
        ((width, width + EACH_COSTS * share_left(n_words, limit, width)) for width in widths),
        key=lambda width_and_cost: width_and_cost[1],
    )


def share_left(n_words: int, limit: int, width: int) -> float:
    """Estimate which share of pairs of so many words in sum is not ruled out by some planes.

    Two texts with k words of their own differ in B / 2 * (1 - (1 - 2 / B) ** k) of B bits, with a
    variance of about B / 4 * (1 - (1 - 4 / B) ** k); of words in sum, `_OWN` are not shared.
    """
    own = _OWN * n_words
    n_bits = _WORD_BITS * width
    expected = n_bits / 2 * (1 - (1 - 2 / n_bits) ** own)
    deviation = max(0.5, (n_bits / 4 * (1 - (1 - 4 / n_bits) ** own)) ** 0.5)
    return math.erfc((expected - limit) / deviation / 2**0.5) / 2


def set_places(flags: NDArray[np.bool_]) -> Numbers:
    """Return the flat places of the few flags that are set; eight are looked at in one."""
    row = flags.reshape(-1)
    whole = len(row) // 8 * 8
    eights = np.flatnonzero(row[:whole].view(np.uint64) != 0)
    nth = np.flatnonzero(row[:whole].reshape(-1, 8)[eights])
    beyond = whole + np.flatnonzero(row[whole:])
    return np.concatenate([8 * eights[nth // 8] + nth % 8, beyond])


def counts_of(width: int) -> type[np.uint8] | type[np.uint16]:
    """Return a type for so many planes' bits; all of 256 wrap to 0, which keeps a pair."""
    return np.uint8 if width * _WORD_BITS <= 256 else np.uint16


def capped(limits: Numbers, width: int) -> NDArray[Any]:
    """Return limits in that type; one that is below zero becomes zero."""
    counts = counts_of(width)
    return limits.clip(0, np.iinfo(counts).max).astype(counts)


def compare_all(
    queries: Signed, q: slice, references: Signed, tile: Tile
) -> Iterator[tuple[Numbers, Numbers]]:
    """Compare each query of a band with each reference of another, the longer one innermost."""
    r, width = tile.references, tile.width
    # Every word that no reference has is a difference of its own.
    limits = tile.limit - (queries.n_words[q] - queries.n_known[q])
    counts, most = counts_of(width), capped(limits, width)
    ours, theirs = queries.by_width[width][:, q], references.by_width[width][:, r]
    turned = len(limits) > theirs.shape[1]
    rows, columns = (theirs, ours) if turned else (ours, theirs)
    step = max(1, _TILE // columns.shape[1])
    for start in range(0, rows.shape[1], step):
        part = slice(start, start + step)
        bits = rows[0, part, None] ^ columns[0]
        differing = np.bitwise_count(bits).astype(counts, copy=False)
        ones = np.empty(bits.shape if width > 1 else 0, np.uint8)
        for plane in range(1, width):
            np.bitwise_xor(rows[plane, part, None], columns[plane], out=bits)
            np.bitwise_count(bits, out=ones)
            np.add(differing, ones, out=differing)
        near = differing <= (most if turned else most[part, None])
        outer, inner = np.divmod(set_places(near), columns.shape[1])
        left, right = (inner, outer + start) if turned else (outer + start, inner)
        possible = limits[left] >= 0
        yield left[possible] + q.start, right[possible] + r.start


def compare_each(
    queries: Signed, references: Signed, left: Numbers, right: Numbers, reach: Reach
) -> Iterator[tuple[Numbers, Numbers]]:
    """Compare pairs by their widest signatures, each under its own limit."""
    widest = max(references.by_width)
    ours, theirs = queries.by_width[widest], references.by_width[widest]
    for start in range(0, len(left), _SPARSE_STEP):
        q, r = left[start : start + _SPARSE_STEP], right[start : start + _SPARSE_STEP]
        limits = reach.limits(queries.n_words[q] + references.n_words[r])
        limits -= queries.n_words[q] - queries.n_known[q]
        differing = np.zeros(len(q), np.int64)
        for our, their in zip(ours, theirs, strict=True):
            differing += np.bitwise_count(our[q] ^ their[r])
        near = differing <= limits
        if near.any():
            yield queries.places[q[near]], references.places[r[near]]
