"""Rewrite a test item the way each gate promises to see through."""

import unicodedata

from llm2llm.leakage.embedding import n_pieces, stride
from llm2llm.leakage.gate import Text
from llm2llm.leakage.masking import NAME, NUMBER_WORDS, Masker
from llm2llm.leakage.normalize import WORD, fold, words
from llm2llm.leakage.rouge import lengthened

_CYRILLIC = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")
_ZERO_WIDTH_SPACE = "\u200b"
_WRAPPERS = (
    ("Read the following carefully. ", " Write down each step of your work."),
    ("We met this at the club last week, and nobody had seen it before.\n", "\nTake your time!"),
    ("Before you go on, consider this one: ", ""),
    ("", " A friend sent me this. I wonder what you make of it, as the others disagree."),
)
N_WRAPPERS = len(_WRAPPERS)  # variants below it wrap the input, not the target
_NONSENSE = ("brimble", "quandle", "torvish", "plenk")
_NAMES = ("Zanbar", "Quillone", "Torvindra", "Ysolmer", "Bremkin", "Kaldovar", "Wexilde")


def disguised(item: str, variant: int) -> Text | None:
    """Change case, punctuation, letters for look-alikes, or add invisible characters."""
    unpunctuated = " ".join(
        c for c in item if unicodedata.category(c)[0] != "P" and not c.isspace()
    )
    ways = (
        item.swapcase(),
        unpunctuated if WORD.search(fold(unpunctuated)) else item,  # it must leave something
        item.translate(_CYRILLIC),
        _ZERO_WIDTH_SPACE.join(item),
    )
    for turn in range(len(ways)):
        way = ways[(variant + turn) % len(ways)]
        if way != item:
            return Text(way, "")
    return None


def embedded(item: str, variant: int) -> Text | None:
    """Put the item between other sentences, in the input or in the target."""
    if not WORD.search(fold(item)):
        return None  # symbols alone count as words only where there is nothing else
    before, after = _WRAPPERS[variant % len(_WRAPPERS)]
    wrapped = f"{before}{item}{after}"
    in_target = variant // len(_WRAPPERS) % 2
    return Text("Here is something new.", wrapped) if in_target else Text(wrapped, "")


def reworded(item: str, variant: int, cut: float, extra_words: int) -> Text | None:
    """Replace or drop as many words, at most two, as still reach the cut by their number alone."""
    folded = fold(item)
    tokens = list(WORD.finditer(folded))
    m = len(tokens)
    if m != len(words(item)):
        return None
    ways = ((2, True), (2, False), (1, True), (1, False))
    for turn in range(len(ways)):
        n_changed, replace = ways[(variant + turn) % len(ways)]
        n = m if replace else m - n_changed
        reached = m > n_changed and lengthened(m - n_changed, m, n, extra_words) >= cut
        if not reached:
            continue
        places = {(variant + m * k // 2) % m for k in range(n_changed)}
        for place in sorted(places, reverse=True):
            start, end = tokens[place].span()
            word = _NONSENSE[(variant + place) % len(_NONSENSE)] if replace else ""
            folded = f"{folded[:start]} {word} {folded[end:]}"
        return Text(folded, "")
    return None


def renamed(item: str, variant: int, masker: Masker) -> Text | None:
    """Put other numbers for all numbers and other names for all names."""
    folded = fold(item)
    names = [name for name in _NAMES if name.casefold() not in masker.common | masker.names]
    shouted = not any(character.islower() for character in folded)
    changed = folded
    for place, token in reversed(list(enumerate(masker.tokens(item)))):
        if token.text[0].isdigit():
            other = "".join(_next_digit(character) for character in token.text)
        elif token.text.casefold() in NUMBER_WORDS:
            other = "eleven" if token.text.casefold() == "seven" else "seven"
        elif token.mask == NAME and names and not shouted:
            other = names[(variant + place) % len(names)]
        else:
            continue
        changed = changed[: token.start] + other + changed[token.end :]
    return Text(changed, "") if changed != folded else None


def in_a_window(item: str, variant: int, window_words: int) -> Text | None:
    """Put the item at the end of so much text that a window holds it and nothing else."""
    step = stride(window_words)
    text = item.strip()
    if not step <= n_pieces(text) <= window_words:
        return None
    filler = [_NONSENSE[(variant + n) % len(_NONSENSE)] for n in range((3 + variant % 3) * step)]
    return Text(f"{' '.join(filler)} {text}", "")


def _next_digit(character: str) -> str:
    return str((int(character) + 1) % 10) if character.isdecimal() else character
