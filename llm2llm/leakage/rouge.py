"""Find the reference with the highest ROUGE-L F, as if every one of them were compared."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist, cpdist

from llm2llm.exceptions import LeakageCheckError
from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.joining import Join
from llm2llm.leakage.reach import Reach
from llm2llm.leakage.signatures import Signed, in_one_row, planes_for

Words = Sequence[str]

_BLOCK = 2_000_000  # cells compared at a time: 16 MB of scores
_QUERIES = 32_768  # texts looked up at a time: the more of a length, the fuller the tiles
_LIKELY = 0.6  # from here on signatures tell most pairs apart, and it costs a tenth to look first
_UNKNOWN = "\0"  # a word that no reference has
_LAST_CODE = 0x10FFFF


class _Characters(dict[str, str]):
    """A character for each word, in the order in which they come; once closed, none for new ones.

    A dict looks words up faster than any function that is told what to do without them.
    """

    closed = False

    def __missing__(self, word: str) -> str:
        if self.closed:
            return _UNKNOWN
        if len(self) == _LAST_CODE:
            raise LeakageCheckError(
                f"more than {_LAST_CODE} distinct words in the references; compare with fewer rows"
            )
        self[word] = chr(len(self) + 1)
        return self[word]


class RougeIndex:
    """References as strings of one character per distinct word, which rapidfuzz compares fastest.

    Where a cut is given, only pairs that rare words or signatures do not rule out are compared:
    none that reaches the cut is lost.
    """

    def __init__(self, references: Iterable[Words]) -> None:
        """Give each word of the references a number; a query's other words equal nothing."""
        self._characters = _Characters()
        self._references = self._encode(references)
        self._characters.closed = True
        codes, self._n_words = in_one_row(self._references)
        self._n_planes = planes_for(float(self._n_words.mean()) if len(self._n_words) else 0.0)
        self._join = Join(Signed.of(codes, self._n_words, self._n_planes))

    def nearest(
        self,
        queries: Sequence[Words],
        extra_words: int,
        at_least: float = 0.0,
        before: Sequence[int] | None = None,
    ) -> list[Match | None]:
        """Return each query's closest reference, the first of equals; None if no word is shared.

        None as well where the closest scores less than `at_least`. With `before` a query is
        compared only with references that stand before the place given for it.
        """
        places = [len(self._references)] * len(queries) if before is None else before
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
        self, queries: Iterable[Words], extra_words: int, cut: float
    ) -> Iterator[tuple[int, int, float]]:
        """Yield all pairs that reach the cut and share a word: query, reference and score.

        Query by query is not promised, nor any other order.
        """
        source, start = iter(queries), 0
        while encoded := self._encode(itertools.islice(source, _QUERIES)):
            codes, n_words = in_one_row(encoded)
            signed = Signed.of(codes, n_words, self._n_planes)
            for left, right in self._join.close_pairs(signed, Reach(cut, extra_words)):
                lcs = cpdist(
                    [encoded[query] for query in left],
                    [self._references[reference] for reference in right],
                    scorer=LCSseq.similarity,
                    dtype=np.int32,
                )
                scores = lengthened(lcs, n_words[left], self._n_words[right], extra_words)
                near = (scores >= cut) & (lcs > 0)
                yield from zip(
                    (left[near] + start).tolist(),
                    right[near].tolist(),
                    scores[near].tolist(),
                    strict=True,
                )
            start += len(encoded)

    def _rows(self, queries: Sequence[Words], extra_words: int) -> Iterator[NDArray[np.float64]]:
        """Yield, for each query in order, its scores with all references."""
        step = max(1, _BLOCK // max(1, len(self._references)))
        for start in range(0, len(queries), step):
            block = self._encode(queries[start : start + step])
            lcs = cdist(block, self._references, scorer=LCSseq.similarity, dtype=np.int32)
            n_words = np.array([len(query) for query in block], dtype=np.int64)
            scores = lengthened(lcs, n_words[:, None], self._n_words[None, :], extra_words)
            yield from np.where(lcs > 0, scores, 0.0)

    def _encode(self, texts: Iterable[Words]) -> list[str]:
        character = self._characters.__getitem__
        return ["".join(map(character, text)) for text in texts]


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
        return cls(name, RougeIndex(split(text) for text in inputs), split, extra_words)

    @property
    def settings(self) -> dict[str, int | str]:
        """Return how much shorter texts are favored."""
        return {"extra_words": self.extra_words}

    def nearest(self, texts: Sequence[Text], at_least: float = 0.0) -> list[Match | None]:
        """Return the closest test item of each text's input that scores `at_least`."""
        queries = [self.split(text.input) for text in texts]
        return self.index.nearest(queries, self.extra_words, at_least)
