"""Find the reference with the highest ROUGE-L F, as if every one of them were compared."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist, cpdist

from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.joining import Join
from llm2llm.leakage.numbering import Numbering
from llm2llm.leakage.reach import Reach
from llm2llm.leakage.signatures import Signed, planes_for

_BLOCK = 2_000_000  # cells compared at a time: 16 MB of scores
_QUERIES = 32_768  # texts looked up at a time: the more of a length, the fuller the tiles
_LIKELY = 0.6  # from here on signatures tell most pairs apart, and it costs a tenth to look first


class RougeIndex:
    """References as strings of one character per distinct word, which rapidfuzz compares fastest.

    References and queries are given as words parted by spaces. Where a cut is given, only pairs
    that rare words or signatures do not rule out are compared: none that reaches the cut is lost.
    """

    def __init__(self, references: Iterable[str]) -> None:
        """Give each word of the references a number; a query's other words equal nothing."""
        self._numbering = Numbering()
        self._references = self._numbering.learn(references)
        n_words = self._references.n_words
        self._n_planes = planes_for(float(n_words.mean()) if len(n_words) else 0.0)
        self._join = Join(Signed.of(self._references.codes, n_words, self._n_planes))

    def nearest(
        self,
        queries: Sequence[str],
        extra_words: int,
        at_least: float = 0.0,
        before: Sequence[int] | None = None,
    ) -> list[Match | None]:
        """Return each query's closest reference, the first of equals; None if no word is shared.

        None as well where the closest scores less than `at_least`. With `before` a query is
        compared only with references that stand before the place given for it.
        """
        places = [len(self._references.n_words)] * len(queries) if before is None else before
        found: list[Match | None] = [None] * len(queries)
        for query, reference, score in self.pairs(queries, extra_words, max(at_least, _LIKELY)):
            best = found[query]
            if reference < places[query] and (
                best is None or (-score, reference) < (-best.score, best.reference)
            ):
                found[query] = Match(reference, score)
        if at_least >= _LIKELY:
            return found
        left = [place for place, match in enumerate(found) if match is None]
        rows = self._rows([queries[place] for place in left], extra_words)
        for place, row in zip(left, rows, strict=True):
            scores = row[: places[place]]
            reference = int(scores.argmax()) if scores.size else -1
            score = float(scores[reference]) if scores.size else 0.0
            if score > 0 and score >= at_least:
                found[place] = Match(reference, score)
        return found

    def pairs(
        self, queries: Iterable[str], extra_words: int, cut: float
    ) -> Iterator[tuple[int, int, float]]:
        """Yield all pairs that reach the cut and share a word: query, reference and score.

        Query by query is not promised, nor any other order.
        """
        source, start = iter(queries), 0
        while batch := list(itertools.islice(source, _QUERIES)):
            coded = self._numbering.code(batch)
            signed = Signed.of(coded.codes, coded.n_words, self._n_planes)
            for left, right in self._join.close_pairs(signed, Reach(cut, extra_words)):
                lcs = cpdist(
                    coded.strings(left),
                    self._references.strings(right),
                    scorer=LCSseq.similarity,
                    dtype=np.int32,
                )
                m, n = coded.n_words[left], self._references.n_words[right]
                scores = lengthened(lcs, m, n, extra_words)
                near = (scores >= cut) & (lcs > 0)
                yield from zip(
                    (left[near] + start).tolist(),
                    right[near].tolist(),
                    scores[near].tolist(),
                    strict=True,
                )
            start += len(batch)

    def _rows(self, queries: Sequence[str], extra_words: int) -> Iterator[NDArray[np.float64]]:
        """Yield, for each query in order, its scores with all references."""
        references, n_words = self._references.strings(slice(None)), self._references.n_words
        step = max(1, _BLOCK // max(1, len(references)))
        for start in range(0, len(queries), step):
            block = self._numbering.code(queries[start : start + step])
            strings = block.strings(slice(None))
            lcs = cdist(strings, references, scorer=LCSseq.similarity, dtype=np.int32)
            scores = lengthened(lcs, block.n_words[:, None], n_words[None, :], extra_words)
            yield from np.where(lcs > 0, scores, 0.0)


def lengthened(lcs: Any, m: Any, n: Any, extra_words: int) -> Any:
    """Compute ROUGE-L F of two texts as if both had `extra_words` more words in common.

    With 0 it is ROUGE-L F, 2 * LCS / (m + n), for m and n words. With more, one cut means a lower
    ROUGE-L F the shorter the texts are: where one cut of .8 and 3 extra words stands, two texts of
    40 words match from .785, of 10 words from .74. Takes numbers and arrays alike.
    """
    return 2.0 * (lcs + extra_words) / (m + n + 2.0 * extra_words)


def rouge_f_at(score: float, n_words: int, extra_words: int) -> float:
    """Return the ROUGE-L F that a lengthened score means for two texts of `n_words` each."""
    return max(0.0, score - (1.0 - score) * extra_words / n_words)


@dataclass(frozen=True, slots=True)
class RougeGate:
    """Lengthened ROUGE-L F between inputs, over words as `split` makes them."""

    name: str
    index: RougeIndex
    split: Callable[[str], list[str]]
    extra_words: int

    @classmethod
    def of(
        cls, name: str, inputs: Sequence[str], split: Callable[[str], list[str]], extra_words: int
    ) -> "RougeGate":
        """Index the test items' inputs."""
        return cls(name, RougeIndex(" ".join(split(text)) for text in inputs), split, extra_words)

    @property
    def settings(self) -> dict[str, int | str]:
        """Return how much shorter texts are favored."""
        return {"extra_words": self.extra_words}

    def nearest(self, texts: Sequence[Text], at_least: float = 0.0) -> list[Match | None]:
        """Return the closest test item of each text's input that scores `at_least`."""
        queries = [" ".join(self.split(text.input)) for text in texts]
        return self.index.nearest(queries, self.extra_words, at_least)
