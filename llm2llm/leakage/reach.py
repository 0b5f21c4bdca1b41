"""Turn a cut of ROUGE-L F into the number of words that two texts may lack of each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

_FAR = 2**31 - 1  # longer than any text


@dataclass(frozen=True, slots=True)
class Reach:
    """How far apart two texts of m and n words may be and still meet a cut.

    If d words must be deleted and added to make one the other, their lengthened ROUGE-L F is
    1 - d / (m + n + 2 * extra_words): d is at most (1 - cut) * (m + n + 2 * extra_words). Where
    the other lacks i of the m words, d is at least n - m + 2 * i.
    """

    cut: float
    extra_words: int

    @property
    def slack(self) -> float:
        """Return what extra words add to d, and keep a pair at the limit from rounding errors."""
        return 2 * (1.0 - self.cut) * self.extra_words + 1e-6

    def limit(self, n_words: int) -> int:
        """Return the highest d for texts of so many words in sum."""
        return int((1.0 - self.cut) * n_words + self.slack)

    def limits(self, n_words: Numbers) -> Numbers:
        """Return the highest d for each of many pairs."""
        return ((1.0 - self.cut) * n_words + self.slack).astype(np.int64)

    def shortest(self, n_words: Numbers) -> Numbers:
        """Return how short the other text may be."""
        least = np.ceil((self.cut * n_words - self.slack) / (2.0 - self.cut))
        shortest: Numbers = np.maximum(1, least).astype(np.int64)
        return shortest

    def longest(self, n_words: Numbers, n_lacking: Numbers) -> Numbers:
        """Return how long the other text may be if it lacks so many of the words."""
        most = np.floor(((2.0 - self.cut) * n_words - 2 * n_lacking + self.slack) / self.cut)
        longest: Numbers = np.clip(most, 0, _FAR).astype(np.int64)
        return longest

    def rarest(self, n_words: Numbers) -> Numbers:
        """Return how many of the rarest words must be looked at: one more than may be lacking."""
        lacking = (2.0 - self.cut) * n_words - self.cut * self.shortest(n_words) + self.slack
        return np.minimum(n_words, (lacking / 2).astype(np.int64) + 1)
