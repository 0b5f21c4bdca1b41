"""Read the one number of a text, with its sign and without its unit."""

import re
from fractions import Fraction

from llm2llm.arithmetic import NUMBER

# Longer runs of digits are a student repeating itself, not a number.
MAX_DIGITS = 100

_CURRENCY = "$€£¥₹₩₽₺₴₪₫฿¢"
_LETTER = r"[^\W\d_]"
_QUANTITY = re.compile(
    rf"(?:(?P<whole>[0-9]+)\s+(?=[0-9]+\s*/))?(?P<number>{NUMBER.pattern})"
    rf"(?:\s*/\s*(?P<divisor>{NUMBER.pattern}))?"
)
_SIGN = re.compile(
    rf"(?:(?<![^ :=])(?P<sign>[-+]|minus|negative) ?)?(?:[{_CURRENCY}] ?(?P<inner>-)? ?)?\Z", re.I
)
# The alternatives of each repetition begin differently, so that no text takes more than one pass.
_WORDS_BEFORE = re.compile(rf"(?:{_LETTER}|[\s'’,:=]|(?<={_LETTER})-(?={_LETTER}))*")
_UNIT = re.compile(
    rf"(?:{_LETTER}|[\s'’.,!%°{_CURRENCY}]|(?<={_LETTER})[²³]|(?<![\s.,])[-/](?={_LETTER})|\s-(?={_LETTER}))*"
)
_SCALES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9}
_EMPHASIS = " \t\r\n*_`\"“”',"
_SPELLINGS = str.maketrans(
    {"−": "-", "–": "-", "﹣": "-", "-": "-", "⁄": "/", "½": " 1/2", "¼": " 1/4", "¾": " 3/4"}
)


def number(text: str) -> Fraction | None:
    """Read the one number of an answer, with its sign and without its unit.

    `$1,000`, `12 apples`, `-5`, `1/2`, `1 1/2`, `2 million` and `50%` (50: the percent sign is a
    unit, as GSM8K's answers to "what percent" are plain numbers) are read. `1,00` (100 or 1.00?),
    `5 or 6`, `10:30`, `1e3`, `3-4` and `5k` are not.
    """
    text = " ".join(text.strip(_EMPHASIS).translate(_SPELLINGS).split())
    if sum(character.isdigit() for character in text) > MAX_DIGITS:
        return None
    quantities = list(_QUANTITY.finditer(text))
    if len(quantities) != 1:
        return None
    found = quantities[0]
    before, unit = text[: found.start()], text[found.end() :]
    signs = _SIGN.search(before)
    if signs is None or (signs["sign"] and signs["inner"]):
        return None
    negative = bool(signs["inner"]) or signs["sign"] not in (None, "+")
    words = before[: signs.start()]
    if not _WORDS_BEFORE.fullmatch(words) or re.search(rf"{_LETTER}\Z", before):
        return None
    if not _UNIT.fullmatch(unit) or re.match(r"[ke]\b|[²³]", unit, re.I):
        return None
    value = Fraction(found["number"].replace(",", ""))
    if found["divisor"] is not None:
        divisor = Fraction(found["divisor"].replace(",", ""))
        if not divisor:
            return None
        value = value / divisor + int(found["whole"] or 0)
    first_word = re.match(r"[\s-]*([a-z]+)", unit.lower())
    if first_word:
        value *= _SCALES.get(first_word[1], 1)
    return -value if negative else value
