"""Find the test item closest in meaning, in a whole text or in any stretch of a long one."""

import functools
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from llm2llm.leakage.encoder import Encode, Vectors
from llm2llm.leakage.gate import Match, Near, Text
from llm2llm.leakage.normalize import UNSPACED

_PIECE = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
_BLOCK = 4_000_000  # products at a time: 16 MB
_TEXTS = 2_000  # encoded at a time, with their windows
_COVERED = 0.9  # a window is as long as nine in ten test items
_DIGITS = 4  # of a score: what threads and batches change lies below


@dataclass(frozen=True, slots=True)
class EmbeddingGate:
    """The test items' vectors; every product with them is computed, so none is missed.

    `repeats` are the places of test items whose text an earlier one has.
    """

    encode: Encode
    weights_sha256: str
    vectors: Vectors
    window_words: int
    repeats: tuple[int, ...]
    name = "embedding"

    @classmethod
    def of(
        cls, inputs: Sequence[str], encode: Encode, weights_sha256: str, window_words: int | None
    ) -> "EmbeddingGate":
        """Encode the test items; without `window_words` nine in ten of them fit into a window."""
        if window_words is None:
            lengths = [n_pieces(text) for text in inputs]
            window_words = max(1, int(np.quantile(lengths, _COVERED)))
        first: dict[str, int] = {}
        repeats = [p for p, text in enumerate(inputs) if first.setdefault(text, p) != p]
        return cls(encode, weights_sha256, encode(inputs), window_words, tuple(repeats))

    @property
    def settings(self) -> dict[str, int | str]:
        """Return the window and which encoder it is."""
        return {"window_words": self.window_words, "encoder_sha256": self.weights_sha256}

    def nearest(self, texts: Sequence[Text], at_least: float = 0.0) -> list[Match | None]:
        """Return the test item with the highest cosine, of the whole input or of any window."""
        return [
            match if match.score > 0 and match.score >= at_least else None
            for match in map(_best, self._cosines(texts))
        ]

    def near(self, texts: Sequence[Text], at_least: float, most: int) -> list[Near]:
        """Return up to `most` test items that score so much, the highest first."""
        return [self._near(scores, at_least, most) for scores in self._cosines(texts)]

    def _near(self, scores: Vectors, at_least: float, most: int) -> Near:
        reached = np.flatnonzero(scores >= at_least)
        reached = reached[~np.isin(reached, self.repeats)]
        ordered = reached[np.argsort(-scores[reached], kind="stable")]
        matches = tuple(Match(place, float(scores[place])) for place in ordered[:most].tolist())
        return Near(matches, len(reached) - len(matches))

    def _cosines(self, texts: Sequence[Text]) -> Iterator[Vectors]:
        """Yield for each text its cosine with every test item: the highest of its windows."""
        for start in range(0, len(texts), _TEXTS):
            parts = [windows(t.input, self.window_words) for t in texts[start : start + _TEXTS]]
            rows = self._products([part for each in parts for part in each])
            for each in parts:
                yield functools.reduce(np.maximum, itertools.islice(rows, len(each)))

    def _products(self, parts: Sequence[str]) -> Iterator[Vectors]:
        vectors = self.encode(parts)
        step = max(1, _BLOCK // len(self.vectors))
        for start in range(0, len(vectors), step):
            yield from np.round(vectors[start : start + step] @ self.vectors.T, _DIGITS)


def _best(scores: Vectors) -> Match:
    place = int(scores.argmax())
    return Match(place, float(scores[place]))


def windows(text: str, window_words: int) -> list[str]:
    """Return the text and, of a longer one, all windows, each beginning half a window later.

    The last window may have half the words. In scripts without spaces characters count.
    """
    pieces = list(_PIECE.finditer(text))
    if len(pieces) <= window_words:
        return [text]
    step = stride(window_words)
    return [
        text,
        *(
            text[pieces[start].start() : pieces[min(start + window_words, len(pieces)) - 1].end()]
            for start in range(0, len(pieces) - step + 1, step)
        ),
    ]


def n_pieces(text: str) -> int:
    """Count the words by which windows go."""
    return len(_PIECE.findall(text))


def stride(window_words: int) -> int:
    """Return by how many words windows are shifted."""
    return max(1, window_words // 2)
