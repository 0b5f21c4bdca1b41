"""Answers: one way to read and compare them, for gold answers and students alike."""

import re
from fractions import Fraction

from llm2llm.arithmetic import NUMBER, plain
from llm2llm.tasks.hook import read as read_by_hook
from llm2llm.tasks.sections import AnswerFormat

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


def extract(spec: AnswerFormat, text: str) -> str | None:
    """Read the answer in a text, in canonical form; None where there is none, or no single one."""
    if spec.pattern is not None:
        matches = list(re.finditer(spec.pattern, text))
        text = (matches[-1][1] or "") if matches else ""
    return canonical(spec, text)


def canonical(spec: AnswerFormat, answer: str | None) -> str | None:
    """Write an answer so that equal answers are equal texts; None where it cannot be read."""
    stripped = (answer or "").strip()
    if not stripped:
        return None
    if spec.kind == "number":
        value = number(stripped)
        return None if value is None else plain(value)
    if spec.kind == "label":
        return _label(spec.labels or [], stripped)
    if spec.kind == "choice":
        return _choice(spec.labels or [], stripped)
    if spec.hook is not None:
        return read_by_hook(spec.hook, stripped)
    return " ".join(stripped.split())


def equal(spec: AnswerFormat, a: str | None, b: str | None) -> bool:
    """Compare two answers; one that is missing or cannot be read equals nothing."""
    left, right = canonical(spec, a), canonical(spec, b)
    return left is not None and left == right


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


def _label(labels: list[str], text: str) -> str | None:
    """Match one label: the whole text, else the only label that occurs in it as a word."""
    if text in labels:
        return text
    folded: dict[str, list[str]] = {}
    for label in labels:
        folded.setdefault(label.casefold(), []).append(label)
    text = text.casefold()
    named = {text} if text in folded else _words(list(folded), text)
    if len(named) != 1:
        return None
    meant = folded[named.pop()]
    return meant[0] if len(meant) == 1 else None


def _words(labels: list[str], text: str) -> set[str]:
    # The longest first, so that a label inside another label does not count as a second one.
    ordered = sorted(labels, key=lambda label: (-len(label), label))
    alternatives = "|".join(re.escape(label) for label in ordered)
    return set(re.findall(rf"(?<!\w)(?:{alternatives})(?!\w)", text)) if alternatives else set()


_CHOICE = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+)?(?:answer|option|choice)(?:\s+is)?\s*:?\s*)?(.*)"
)


def _choice(labels: list[str], text: str) -> str | None:
    """Match one choice: its label, or the letter of its position, as `B`, `(b)`, `B) ...`.

    A letter counts as a position only where no label is a single letter; digits never do, as some
    count from 0 and some from 1.
    """
    names = {label.casefold(): label for label in labels}
    if not any(len(label) == 1 and label.isalpha() for label in labels):
        names = {chr(ord("a") + i): label for i, label in enumerate(labels[:26])} | names
    folded = " ".join(text.casefold().split())
    if folded in names:
        return names[folded]
    found = _CHOICE.fullmatch(folded)
    rest = found[1] if found else folded
    alternatives = "|".join(re.escape(name) for name in sorted(names, key=lambda n: (-len(n), n)))
    if not alternatives:
        return None
    marked = re.match(rf"(?:\(({alternatives})\)|({alternatives})(?:[).:]|$))(?![0-9])", rest)
    return names[marked[1] or marked[2]] if marked else None
