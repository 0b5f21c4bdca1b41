"""Other names and things in the same sentences."""

import random
import re

from llm2llm.teacher.lexicon import (
    BEFORE,
    MEN,
    MORE_MEN,
    MORE_THINGS,
    MORE_WOMEN,
    SPECIFIC,
    THINGS,
    WOMEN,
)

_WORD = re.compile(r"[A-Za-z]+")
_NAMES = frozenset({*WOMEN, *MORE_WOMEN, *MEN, *MORE_MEN})


def swap_surface(question: str, solution: str, rng: random.Random) -> tuple[str, str]:
    """Replace first names by names of the same gender, and countable things by their like.

    A new name or thing is one that the problem does not mention yet.
    """
    both = f"{question}\n{solution}"
    words = _WORD.findall(both)
    new = _names(words, rng) | _things(both, words, rng)

    def swap(text: str) -> str:
        return _WORD.sub(lambda found: new.get(found[0], found[0]), text)

    return swap(question), swap(solution)


def _names(words: list[str], rng: random.Random) -> dict[str, str]:
    new: dict[str, str] = {}
    present = {word.lower() for word in words}
    named = _NAMES.intersection(words)
    # Natalia and Natalie, Tom and Tommy: one person or two?
    if len({name[:3] for name in named}) < len(named):
        return new
    for written, recognized in ((WOMEN, MORE_WOMEN), (MEN, MORE_MEN)):
        pool = [name for name in written if name.lower() not in present]
        known = {*written, *recognized}
        rng.shuffle(pool)
        for word in dict.fromkeys(words):
            if word in known and pool:
                new[word] = pool.pop()
    return new


def _things(text: str, words: list[str], rng: random.Random) -> dict[str, str]:
    new: dict[str, str] = {}
    present = {word.lower() for word in words}
    for kind, things in THINGS.items():
        if present & SPECIFIC[kind]:
            continue
        pool = [pair for pair in things if not present & set(pair)]
        rng.shuffle(pool)
        for singular, plural in (*things, *MORE_THINGS[kind]):
            if plural not in present or _is_compound(text, singular, plural):
                continue
            # "an apple" must not become "an pear".
            vowel = singular[0] in "aeiou" if singular in present else None
            fitting = [p for p in pool if vowel is None or (p[0][0] in "aeiou") == vowel]
            if fitting:
                chosen = fitting[-1]
                pool.remove(chosen)
                for old, fresh in zip((singular, plural), chosen, strict=True):
                    new |= {old: fresh, old.capitalize(): fresh.capitalize()}
    return new


def _is_compound(text: str, singular: str, plural: str) -> bool:
    """Tell whether the thing is ever part of a longer name: index cards, a toy store."""
    before = re.compile(rf"(\S+)[ ](?:{singular}|{plural})\b", re.IGNORECASE)
    words = [found[1] for found in before.finditer(text)]
    if any(word[-1].isalpha() and word.lower() not in BEFORE for word in words):
        return True
    behind = rf"\b{singular}\b(?: (?!for|is|was|has|costs?|and|or|in|to|at|he|she|they)|-)"
    return re.search(behind, text, re.IGNORECASE) is not None
