"""Two texts word by word: where they differ."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

_WORDS = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text; `differs` says that the other text lacks it at this place."""

    text: str
    differs: bool


def differing(one: str, other: str) -> tuple[list[Piece], list[Piece]]:
    """Cut both texts into pieces that join to them again, spaces between equal words included."""
    spans = [list(_WORDS.finditer(text)) for text in (one, other)]
    words = [[match.group() for match in found] for found in spans]
    equal: tuple[set[int], set[int]] = (set(), set())
    matcher = SequenceMatcher(None, words[0], words[1], autojunk=False)
    for block in matcher.get_matching_blocks():
        equal[0].update(range(block.a, block.a + block.size))
        equal[1].update(range(block.b, block.b + block.size))
    return _pieces(one, spans[0], equal[0]), _pieces(other, spans[1], equal[1])


def _pieces(text: str, spans: Sequence[re.Match[str]], equal: set[int]) -> list[Piece]:
    """Join neighbors that are alike; what stands between a marked and a plain word is plain."""
    pieces: list[Piece] = []
    start = 0
    for place, span in enumerate(spans):
        differs = place not in equal
        begin = start if not differs or (pieces and pieces[-1].differs) else span.start()
        if begin > start:
            pieces.append(Piece(text[start:begin], False))
        if pieces and pieces[-1].differs == differs:
            pieces[-1] = Piece(pieces[-1].text + text[begin : span.end()], differs)
        else:
            pieces.append(Piece(text[begin : span.end()], differs))
        start = span.end()
    if start < len(text):
        pieces.append(Piece(text[start:], False))
    return pieces
