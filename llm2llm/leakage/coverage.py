"""Find the test item whose word n-grams a text covers best, so that embedded items are found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.normalize import words

_BOUNDARY = ""  # no word: no n-gram of a test item spans input and target


@dataclass(frozen=True, slots=True)
class CoverageGate:
    """Which test items hold an n-gram, and how many distinct ones each has.

    Most n-grams have one holder: no list is spent on those.
    """

    ngram_words: int
    holders: dict[tuple[str, ...], int | list[int]]
    n_grams: list[int]
    sizes: frozenset[int]
    name = "coverage"

    @classmethod
    def of(cls, inputs: Sequence[str], ngram_words: int) -> "CoverageGate":
        """Index the n-grams of each test item; one of fewer than n words is one gram, whole."""
        holders: dict[tuple[str, ...], int | list[int]] = {}
        known: dict[str, str] = {}  # one string for each word, however often it comes
        n_grams: list[int] = []
        sizes: set[int] = set()
        for place, text in enumerate(inputs):
            item = [known.setdefault(word, word) for word in words(text)]
            size = min(ngram_words, len(item))
            grams = _grams(item, size)
            n_grams.append(len(grams))
            sizes.add(size)
            for gram in grams:
                held = holders.get(gram)
                if held is None:
                    holders[gram] = place
                elif isinstance(held, int):
                    holders[gram] = [held, place]
                else:
                    held.append(place)
        return cls(ngram_words, holders, n_grams, frozenset(sizes))

    @property
    def settings(self) -> dict[str, int | str]:
        """Return n."""
        return {"ngram_words": self.ngram_words}

    def nearest(self, texts: Sequence[Text], at_least: float = 0.0) -> list[Match | None]:
        """Return the test item with the largest share of its n-grams in each text, if it is enough.

        Input and target are searched together. A test item of fewer than n words is covered, 1.0,
        where its words stand one after the other.
        """
        found = [
            self._nearest([*words(text.input), _BOUNDARY, *words(text.target)]) for text in texts
        ]
        return [match if match and match.score >= at_least else None for match in found]

    def _nearest(self, text: list[str]) -> Match | None:
        hits: Counter[int] = Counter()
        for size in self.sizes:
            for gram in _grams(text, size):
                held = self.holders.get(gram)
                if isinstance(held, int):
                    hits[held] += 1
                elif held is not None:
                    hits.update(held)
        if not hits:
            return None
        share, place = max((n / self.n_grams[place], -place) for place, n in hits.items())
        return Match(-place, share)


def _grams(text: Sequence[str], size: int) -> set[tuple[str, ...]]:
    return {tuple(text[start : start + size]) for start in range(len(text) - size + 1)}
