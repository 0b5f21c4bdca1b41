"""Find the reference with the highest ROUGE-L F, by comparing with every one of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

from llm2llm.exceptions import LeakageCheckError
from llm2llm.leakage.gate import Match, Text

Words = Sequence[str]

_BLOCK = 2_000_000  # cells compared at a time: 16 MB of scores
_UNKNOWN = "\0"  # a word that no reference has
_LAST_CODE = 0x10FFFF


class RougeIndex:
    """References as strings of one character per distinct word, which rapidfuzz compares fastest.

    Some 3 million pairs of 45 words per CPU second, so that nothing is filtered beforehand.
    """

    def __init__(self, references: Sequence[Words]) -> None:
        """Give each word of the references a number; a query's other words equal nothing."""
        vocabulary = dict.fromkeys(word for reference in references for word in reference)
        if len(vocabulary) > _LAST_CODE:
            raise LeakageCheckError(
                f"{len(vocabulary)} distinct words in the references, expected at most "
                f"{_LAST_CODE}; compare with fewer rows"
            )
        self._characters = {word: chr(code) for code, word in enumerate(vocabulary, start=1)}
        self._references = [self._encode(reference) for reference in references]
        self._n_words = np.array([len(reference) for reference in references], dtype=np.int64)

    def nearest(self, queries: Sequence[Words], extra_words: int) -> list[Match | None]:
        """Return each query's closest reference, the first of equals; None if no word is shared."""
        found: list[Match | None] = []
        for row in self.rows(queries, extra_words):
            place = int(row.argmax()) if row.size else -1
            score = float(row[place]) if row.size else 0.0
            found.append(Match(place, score) if score > 0 else None)
        return found

    def rows(self, queries: Sequence[Words], extra_words: int) -> Iterator[NDArray[np.float64]]:
        """Yield, for each query in order, its scores with all references."""
        step = max(1, _BLOCK // max(1, len(self._references)))
        for start in range(0, len(queries), step):
            block = queries[start : start + step]
            lcs = cdist(
                [self._encode(query) for query in block],
                self._references,
                scorer=LCSseq.similarity,
                dtype=np.int32,
            )
            n_words = np.array([len(query) for query in block], dtype=np.int64)
            scores = lengthened(lcs, n_words[:, None], self._n_words[None, :], extra_words)
            yield from np.where(lcs > 0, scores, 0.0)

    def _encode(self, text: Words) -> str:
        return "".join(self._characters.get(word, _UNKNOWN) for word in text)


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
        return cls(name, RougeIndex([split(text) for text in inputs]), split, extra_words)

    @property
    def settings(self) -> dict[str, int]:
        """Return how much shorter texts are favored."""
        return {"extra_words": self.extra_words}

    def nearest(self, texts: Sequence[Text]) -> list[Match | None]:
        """Return the closest test item of each text's input; every pair is compared."""
        return self.index.nearest([self.split(text.input) for text in texts], self.extra_words)
