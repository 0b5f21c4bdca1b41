"""Find texts inside longer ones, whatever their case, spaces, punctuation and escapes."""

import re
import string
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from llm2llm.leakage.normalize import exact_keys

# A text inside a longer one counts from this many letters and digits on; shorter ones, such as a
# label or a number, stand in texts that have nothing to do with it.
MIN_CONTAINED = 24

# Each text looked for is known by the pieces at its first nine places. Whatever holds it whole
# shows one of them at a place that nine divides, so that only those are looked up.
_PIECE = 16
_STEP = MIN_CONTAINED - _PIECE + 1

_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))")
_ESCAPED_SPACES = "nrtbf"
_MOST_UNESCAPED = 3  # JSON in JSON in JSON


# What an ASCII text's key keeps: letters, small, and digits.
_KEPT = string.ascii_letters + string.digits
_SMALL = bytes.maketrans(string.ascii_uppercase.encode(), string.ascii_lowercase.encode())
_DROPPED = bytes(code for code in range(128) if chr(code) not in _KEPT)


def keys(text: str) -> list[str]:
    """Reduce a text as the exact gate does; the same, many times faster, where it is ASCII."""
    if text.isascii():
        key = text.encode().translate(_SMALL, _DROPPED).decode()
        if key:
            return [key]
    return list(dict.fromkeys(exact_keys(text)))


class ContainedTexts:
    """Texts to look for: as the whole of a text at any length, inside one if long enough."""

    def __init__(self, whole: Sequence[str], inside_only: Iterable[str] = ()) -> None:
        """Index texts; those of `inside_only` are not found as the whole of a text if short."""
        self._whole: dict[str, int] = {}
        self._pieces: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for place, text in enumerate(whole):
            for key in keys(text):
                self._whole.setdefault(key, place)
                self._index(key, place)
        for text in inside_only:
            for key in keys(text):
                self._index(key, -1)
        self._known = frozenset(self._pieces)

    def _index(self, key: str, place: int) -> None:
        if len(key) >= MIN_CONTAINED:
            for start in range(_STEP):
                self._pieces[key[start : start + _PIECE]].append((key, place))

    def find(self, text: str) -> int | None:
        """Find the place of a text that this one is or holds; -1 for one of `inside_only`."""
        return next(self.find_all(text), None)

    def find_all(self, text: str) -> Iterator[int]:
        """Give the places of all texts that this one is or holds, some of them repeatedly."""
        for reading in _readings(text):
            for key in keys(reading):
                if key in self._whole:
                    yield self._whole[key]
                pieces = [
                    key[start : start + _PIECE] for start in range(0, len(key) - _PIECE + 1, _STEP)
                ]
                if self._known.isdisjoint(pieces):
                    continue
                for piece in pieces:
                    for wanted, place in self._pieces.get(piece, ()):
                        if wanted in key:
                            yield place


def _readings(text: str) -> Iterator[str]:
    """Give the text, then what it says once its backslash escapes are undone."""
    yield text
    for _ in range(_MOST_UNESCAPED):
        if "\\" not in text:
            return
        text = _ESCAPE.sub(_unescape, text)
        yield text


def _unescape(match: re.Match[str]) -> str:
    code, character = match.groups()
    if code is not None:
        return chr(int(code, 16))
    return " " if character in _ESCAPED_SPACES else character
