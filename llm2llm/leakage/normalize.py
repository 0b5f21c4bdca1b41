"""Fold texts so that those which look alike to a reader compare as equal."""

import functools
import re
import unicodedata

# Letters that look like a Latin one, after NFKD and with marks dropped: Cyrillic, Greek, and Latin
# letters whose stroke or missing dot is no combining mark. A letter stands for what it looks like,
# which for Greek capitals differs from their small forms; `exact_keys` makes up for that.
# Chosen from Unicode's confusables (UTS #39), only pairs that pass unnoticed in running text.
_PAIRS = """
а a А A в b В B с c С C е e Е E н h Н H і i І I ї i ј j Ј J к k К K м m М M о o О O р p Р P ѕ s Ѕ S
т t Т T у y У Y ү y Ү Y х x Х X һ h Һ H ԁ d Ԁ D ԛ q Ԛ Q ԝ w Ԝ W ѵ v Ѵ V ӏ l Ӏ I ԍ g ґ r г r Ь b
α a Α A β b Β B ε e Ε E ζ z Ζ Z η n Η H ι i Ι I κ k Κ K μ u Μ M ν v Ν N ο o Ο O ρ p Ρ P τ t Τ T
υ u Υ Y χ x Χ X γ y ω w σ o ϳ j ϲ c Ϲ C
ı i ȷ j ɑ a ɡ g ɩ i ɪ i ʟ l ɴ n ʀ r ʏ y ʙ b ʜ h ᴀ a ᴄ c ᴅ d ᴇ e ᴊ j ᴋ k ᴍ m ᴏ o ᴘ p ᴛ t ᴜ u ᴠ v
ᴡ w ᴢ z ꜱ s ꜰ f ø o Ø O ł l Ł L đ d Đ D ħ h Ħ H ŧ t Ŧ T ƅ b ƒ f ɛ e ո n օ o ս u հ h ց g զ q
"""
_LOOK_ALIKES = dict(zip(_PAIRS.split()[::2], _PAIRS.split()[1::2], strict=True))
_INVISIBLE_LETTERS = "\u115f\u1160"  # Hangul fillers; the other two become these under NFKD

# Scripts written without spaces between words: each character counts as a word.
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"  # kana, Han
)
WORD = re.compile(
    r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)"  # 1,000,000.5
    r"|\d+\.\d+"
    rf"|(?=[{UNSPACED}])[^\W_]"
    rf"|(?:(?![{UNSPACED}])[^\W_])+"
)
# What WORD finds in ASCII text in small letters, in half the time.
_ASCII_WORD = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+\.\d+|[a-z0-9]+")
_NO_LETTER = re.compile(r"[\W_]+")
_ASCII_NO_LETTER = {code: None for code in range(128) if not chr(code).isalnum()}
_REMEMBERED = 8_192  # texts: more than are checked at a time, as several gates split each


class _Folding(dict[int, str]):
    """A table for str.translate that works out each character once."""

    def __missing__(self, code: int) -> str:
        self[code] = _fold_character(chr(code))
        return self[code]


def _fold_character(character: str) -> str:
    if character.isspace():
        return "\n" if character in "\n\u2028\u2029" else " "
    category = unicodedata.category(character)
    if category[0] == "M" or category in ("Cf", "Cc") or character in _INVISIBLE_LETTERS:
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(character))
    return _LOOK_ALIKES.get(character, character)


_FOLDING = _Folding()
# Without a number that a point or comma parts, translating ASCII text does for all of that.
_ASCII_SEPARATED = re.compile(rb"\d[.,]\d")
_ASCII_DROPPED = bytes(code for code in range(128) if not _fold_character(chr(code)))
_ASCII_LOWERED = bytes(ord(chr(code).lower()) for code in range(128)) + bytes(128)
_ASCII_PARTED = bytes(code if chr(code).isalnum() else 32 for code in range(128)) + bytes(128)


def fold(text: str) -> str:
    """Apply NFKD, drop marks and invisible characters, write look-alikes as Latin; keep case."""
    return unicodedata.normalize("NFKD", text).translate(_FOLDING)


def words(text: str) -> list[str]:
    """Split folded, case-folded text into words; text of symbols alone gives its characters.

    Only text with nothing visible in it gives an empty list.
    """
    return list(_words(text))


@functools.lru_cache(maxsize=_REMEMBERED)
def _words(text: str) -> tuple[str, ...]:
    return tuple(spaced(text).split())


def spaced(text: str) -> str:
    """Return the words of a text parted by spaces, some of them by more than one."""
    if text.isascii():
        lowered = text.encode().translate(_ASCII_LOWERED, _ASCII_DROPPED)
        parted = lowered.translate(_ASCII_PARTED)
        if not parted.isspace() and not _ASCII_SEPARATED.search(lowered):
            return parted.decode()
    folded = fold(text).casefold()
    found = " ".join((_ASCII_WORD if folded.isascii() else WORD).findall(folded)).replace(",", "")
    return found or " ".join("".join(folded.split()))


def exact_keys(text: str) -> tuple[str, str]:
    """Reduce a text to letters and digits, in two ways; texts are equal if either key is.

    The first folds look-alikes before case, the second after it: a Greek text and the same in
    capitals agree only in the second.
    """
    if text.isascii():
        key = _bare(fold(text).casefold())
        return key, key
    return _bare(fold(text).casefold()), _bare(fold(text.casefold()).casefold())


def _bare(folded: str) -> str:
    letters = folded.translate(_ASCII_NO_LETTER) if folded.isascii() else _NO_LETTER.sub("", folded)
    return letters or "".join(folded.split())
