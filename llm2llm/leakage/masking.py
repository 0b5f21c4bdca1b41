"""Hide numbers and names, so that a text and the same with other ones compare as equal."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from llm2llm.leakage.normalize import WORD, fold

NUMBER = "<number>"
NAME = "<name>"
_PRONOUN = "<pronoun>"  # another name often changes it

# English only: elsewhere digits and capitalized names are still masked.
NUMBER_WORDS = frozenset(
    re.findall(
        r"\w+",
        """
        zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
        fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty
        ninety hundred thousand million billion dozen half twice thrice double triple
        """,
    )
)
_PRONOUNS = frozenset(["he", "she", "him", "her", "his", "hers", "himself", "herself"])
_NEVER_NAMES = frozenset(["i"])
_SENTENCE_END = frozenset(".?!:\n")


@dataclass(frozen=True, slots=True)
class Token:
    """A word with its place in the folded text and what it is masked as, if anything."""

    text: str
    start: int
    end: int
    mask: str | None


@dataclass(frozen=True, slots=True)
class Masker:
    """What is known of names: words seen only capitalized, and words seen in small letters."""

    names: frozenset[str]
    common: frozenset[str]

    @classmethod
    def learn(cls, texts: Iterable[str]) -> "Masker":
        """Learn from texts: a name stands capitalized within a sentence and never in small letters.

        No list of names is needed, and the words that begin sentences are told from names.
        """
        names: set[str] = set()
        common: set[str] = set()
        for text in texts:
            folded = fold(text)
            for word, begins, _ in _scan(folded):
                if word.islower():
                    common.add(word)
                elif not begins and word[0].isupper():
                    names.add(word.casefold())
        return cls(frozenset(names - common - _NEVER_NAMES), frozenset(common | _NEVER_NAMES))

    def tokens(self, text: str) -> list[Token]:
        """Split a text into words and say which are numbers, names and pronouns."""
        folded = fold(text)
        shouted = not any(character.islower() for character in folded)
        return [
            Token(word, start, start + len(word), self._mask(word, begins, shouted))
            for word, begins, start in _scan(folded)
        ]

    def mask(self, text: str) -> list[str]:
        """Return the words of a text, each run of numbers or names replaced by one mask."""
        masked: list[str] = []
        for token in self.tokens(text):
            word = token.mask or token.text.casefold()
            if token.mask is None or not masked or masked[-1] != word:
                masked.append(word)
        return masked or list("".join(fold(text).casefold().split()))

    def _mask(self, word: str, begins: bool, shouted: bool) -> str | None:
        lower = word.casefold()
        if word[0].isdigit() or lower in NUMBER_WORDS:
            return NUMBER
        if lower in _PRONOUNS:
            return _PRONOUN
        if lower in self.names:
            return NAME
        capitalized = word[0].isupper() and not shouted and lower not in _NEVER_NAMES
        if capitalized and (not begins or lower not in self.common):
            return NAME
        return None


def _scan(folded: str) -> Iterable[tuple[str, bool, int]]:
    """Yield each word, whether it begins a sentence, and where it starts."""
    end = 0
    for found in WORD.finditer(folded):
        gap = folded[end : found.start()]
        yield found.group(), end == 0 or not _SENTENCE_END.isdisjoint(gap), found.start()
        end = found.end()
