"""Bound how far apart texts are by the bits in which their signatures differ."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Signatures = NDArray[np.uint64]  # one row per 64 bits, one column per text

_WORD_BITS = 64
_SMALLEST_PLANES = 4
_TILE = 1 << 18  # cells compared at a time: their intermediate results stay in a core's cache
_BAND = 1 << 12  # texts at most that are treated as of one length
_SPARSE_STEP = 1 << 18
_SIGNED_AT_ONCE = 1 << 12
_EACH_COSTS = 120.0  # to compare a pair on its own, when one plane of a pair in a tile costs 1


def planes_for(mean_words: float) -> int:
    """Return how many times 64 bits a signature has: enough for texts of so many words."""
    wanted = max(_SMALLEST_PLANES, mean_words / 8)
    return int(2 ** min(7, np.ceil(np.log2(wanted))))


@dataclass(frozen=True, slots=True)
class Signed:
    """Texts by number of words, shortest first, each with signatures of several widths.

    A signature holds, for each of its bits, whether the words that fall on it occur an odd number
    of times in all. Two texts of which one becomes the other by adding and deleting d words
    differ in at most d bits. `places` are the texts' places as given; `n_known` counts the words
    that have a bit at all.
    """

    places: Numbers
    n_words: Numbers
    n_known: Numbers
    by_width: dict[int, Signatures]

    @classmethod
    def of(cls, codes: NDArray[np.uint32], n_words: Numbers, n_planes: int) -> "Signed":
        """Sign texts whose word codes stand in one row; code 0 is a word without a bit."""
        signatures, n_known = _sign(codes, n_words, n_planes)
        order = np.argsort(n_words, kind="stable")
        whole = np.ascontiguousarray(signatures[order].T)
        by_width = {n_planes: whole}
        while n_planes > 1:
            n_planes //= 2
            wider = by_width[2 * n_planes]
            by_width[n_planes] = wider[:n_planes] ^ wider[n_planes:]
        return cls(order, n_words[order], n_known[order], by_width)


def _sign(
    codes: NDArray[np.uint32], n_words: Numbers, n_planes: int
) -> tuple[NDArray[np.uint64], Numbers]:
    """Return one row per text, and how many of its words have a bit; some texts at a time."""
    n_bits = n_planes * _WORD_BITS
    ends = np.concatenate([[0], np.cumsum(n_words)])
    signatures = np.empty((len(n_words), n_planes), np.uint64)
    n_known = np.empty(len(n_words), np.int64)
    for start in range(0, len(n_words), _SIGNED_AT_ONCE):
        lengths = n_words[start : start + _SIGNED_AT_ONCE]
        n_texts = len(lengths)
        block = codes[ends[start] : ends[start + n_texts]]
        texts = np.repeat(np.arange(n_texts), lengths)[block > 0]
        cells = texts * n_bits + block[block > 0] % n_bits
        odd = np.bincount(cells, minlength=n_texts * n_bits) & 1
        packed = np.packbits(odd.astype(np.uint8)).view(np.uint64)
        signatures[start : start + n_texts] = packed.reshape(n_texts, n_planes)
        n_known[start : start + n_texts] = np.bincount(texts, minlength=n_texts)
    return signatures, n_known


def close_pairs(
    queries: Signed, references: Signed, cut: float, extra_words: int
) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield the places of all pairs that may reach the cut, and of few others.

    A pair of m and n words that differs by d of them has a lengthened ROUGE-L F of
    1 - d / (m + n + 2 * extra_words): it reaches the cut only while d is at most
    (1 - cut) * (m + n + 2 * extra_words). Texts of similar length are compared together, under
    the limit of the longest; what is left, pair by pair under its own.
    """
    bands = _bands(references.n_words)
    for q_start, q_end in _bands(queries.n_words):
        for r_start, r_end in bands:
            shortest = queries.n_words[q_start] + references.n_words[r_start]
            longest = queries.n_words[q_end - 1] + references.n_words[r_end - 1]
            limit = _limit(cut, int(longest), extra_words)
            apart = max(
                queries.n_words[q_start] - references.n_words[r_end - 1],
                references.n_words[r_start] - queries.n_words[q_end - 1],
            )
            if apart > limit:
                continue
            width = _width(int(shortest), limit, max(references.by_width))
            q, r = slice(q_start, q_end), slice(r_start, r_end)
            for left, right in _compare_all(queries, references, q, r, width, limit):
                yield from _compare_each(queries, references, left, right, cut, extra_words)


def _limit(cut: float, n_words: int, extra_words: int) -> int:
    """Round so that no pair on the limit is lost to floating-point error."""
    return int((1.0 - cut) * (n_words + 2 * extra_words) + 1e-6)


def _bands(n_words: Numbers) -> list[tuple[int, int]]:
    """Part sorted lengths where they have grown by an eighth, or a tile is full."""
    bands: list[tuple[int, int]] = []
    start = 0
    while start < len(n_words):
        longest = int(n_words[start] * 1.125) + 1
        end = min(int(np.searchsorted(n_words, longest, "right")), start + _BAND)
        bands.append((start, end))
        start = end
    return bands


def _width(n_words: int, limit: int, widest: int) -> int:
    """Choose the number of planes with which comparing all, then each that is left, costs least.

    Two texts with k words of their own differ in B / 2 * (1 - (1 - 2 / B) ** k) of B bits, with a
    variance of about B / 4 * (1 - (1 - 4 / B) ** k); of words in sum, some six in ten are not
    shared.
    """
    own = 0.6 * n_words
    best, least = 1, math.inf
    width = 1
    while width <= widest:
        n_bits = _WORD_BITS * width
        expected = n_bits / 2 * (1 - (1 - 2 / n_bits) ** own)
        deviation = max(0.5, (n_bits / 4 * (1 - (1 - 4 / n_bits) ** own)) ** 0.5)
        left = math.erfc((expected - limit) / deviation / 2**0.5) / 2
        cost = width + _EACH_COSTS * left
        if cost < least:
            best, least = width, cost
        width *= 2
    return best


def _compare_all(
    queries: Signed, references: Signed, q: slice, r: slice, width: int, limit: int
) -> Iterator[tuple[Numbers, Numbers]]:
    """Compare each query of a band with each reference of another, the longer one innermost."""
    # Every word that no reference has is a difference of its own.
    limits = limit - (queries.n_words[q] - queries.n_known[q])
    # All of 256 bits differing would wrap to 0, which keeps a pair and loses none.
    counts, most = (np.uint8, 255) if width * _WORD_BITS <= 256 else (np.uint16, 65_535)
    capped = np.minimum(limits, most).clip(0).astype(counts)
    ours, theirs = queries.by_width[width][:, q], references.by_width[width][:, r]
    turned = len(limits) > theirs.shape[1]
    rows, columns = (theirs, ours) if turned else (ours, theirs)
    step = max(1, _TILE // columns.shape[1])
    for start in range(0, rows.shape[1], step):
        tile = slice(start, start + step)
        bits = rows[0, tile, None] ^ columns[0]
        differing = np.bitwise_count(bits).astype(counts, copy=False)
        ones = np.empty(bits.shape if width > 1 else 0, np.uint8)
        for plane in range(1, width):
            np.bitwise_xor(rows[plane, tile, None], columns[plane], out=bits)
            np.bitwise_count(bits, out=ones)
            np.add(differing, ones, out=differing)
        near = differing <= (capped if turned else capped[tile, None])
        outer, inner = np.divmod(np.flatnonzero(near), columns.shape[1])
        left, right = (inner, outer + start) if turned else (outer + start, inner)
        possible = limits[left] >= 0
        yield left[possible] + q.start, right[possible] + r.start


def _compare_each(
    queries: Signed,
    references: Signed,
    left: Numbers,
    right: Numbers,
    cut: float,
    extra_words: int,
) -> Iterator[tuple[Numbers, Numbers]]:
    """Compare pairs by their widest signatures, each under its own limit."""
    widest = max(references.by_width)
    ours, theirs = queries.by_width[widest], references.by_width[widest]
    for start in range(0, len(left), _SPARSE_STEP):
        q, r = left[start : start + _SPARSE_STEP], right[start : start + _SPARSE_STEP]
        n_words = queries.n_words[q] + references.n_words[r]
        limits = np.floor((1.0 - cut) * (n_words + 2 * extra_words) + 1e-6)
        limits -= queries.n_words[q] - queries.n_known[q]
        differing = np.zeros(len(q), np.int64)
        for plane in range(widest):
            differing += np.bitwise_count(ours[plane, q] ^ theirs[plane, r])
            near = differing <= limits
            if not near.all():
                q, r, limits, differing = q[near], r[near], limits[near], differing[near]
        if len(q):
            yield queries.places[q], references.places[r]


def in_one_row(texts: Sequence[str]) -> tuple[NDArray[np.uint32], Numbers]:
    """Return the characters' codes of all texts in one row, and each text's length."""
    row = "".join(texts).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(row, np.uint32), np.array([len(text) for text in texts], np.int64)
