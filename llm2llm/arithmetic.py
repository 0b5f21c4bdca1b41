"""Exact arithmetic: small expressions, and the `<<expression=result>>` annotations of GSM8K."""

import re
from dataclasses import dataclass
from fractions import Fraction

# The longest expression in GSM8K has under 100 characters. As there is no power operator, a value
# never has more digits than its expression has characters.
MAX_CHARS = 200
MAX_DEPTH = 20
MAX_PLACES = 10

NUMBER = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
ANNOTATION = re.compile(r"<<([^<>=]*)=([^<>=]*)>>")
FINAL = re.compile(r"####[ \t]*([^\n]*)")
_SIGNS = str.maketrans(
    {"−": "-", "–": "-", "×": "*", "∗": "*", "·": "*", "x": "*", "X": "*", "÷": "/"}
)
_LITERAL = re.compile(
    rf"(?P<sign>-?)\s*\$?\s*(?P<number>{NUMBER.pattern})(?:\s*/\s*(?P<divisor>{NUMBER.pattern}))?(?P<percent>%?)"
)


class ExpressionError(ValueError):
    """A text that is no expression of this arithmetic, or one without a value."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One `<<expression=result>>`; `start` and `end` are its place in the text."""

    expression: str
    result: str
    start: int
    end: int


def evaluate(expression: str) -> Fraction:
    """Compute `+ - * / x × ÷`, parentheses, `%` (hundredths), `$` and thousands commas exactly.

    Raises ExpressionError for anything else, a division by zero, or more than 200 characters.
    """
    if len(expression) > MAX_CHARS:
        raise ExpressionError(f"{len(expression)} characters, at most {MAX_CHARS} are computed")
    return _Parser(expression.translate(_SIGNS)).whole()


class _Parser:
    """A recursive-descent parser that computes as it reads."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def whole(self) -> Fraction:
        value = self._sum()
        if self._at < len(self._text):
            raise self._failure("expected an operator or the end")
        return value

    def _sum(self) -> Fraction:
        value = self._product()
        while (sign := self._take("+-")) is not None:
            term = self._product()
            value = value + term if sign == "+" else value - term
        return value

    def _product(self) -> Fraction:
        value = self._signed()
        while (sign := self._take("*/")) is not None:
            factor = self._signed()
            if sign == "/" and not factor:
                raise self._failure("division by zero")
            value = value * factor if sign == "*" else value / factor
        return value

    def _signed(self) -> Fraction:
        negative = False
        while (sign := self._take("+-")) is not None:
            negative ^= sign == "-"
        value = self._primary()
        while self._take("%"):
            value /= 100
        return -value if negative else value

    def _primary(self) -> Fraction:
        if self._take("("):
            self._depth += 1
            if self._depth > MAX_DEPTH:
                raise self._failure(f"more than {MAX_DEPTH} parentheses in each other")
            value = self._sum()
            self._depth -= 1
            if not self._take(")"):
                raise self._failure("expected )")
            return value
        self._take("$")
        negative = self._take("-") is not None
        found = NUMBER.match(self._text, self._at)
        if found is None:
            raise self._failure("expected a number")
        self._at = found.end()
        self._skip()
        value = Fraction(found.group().replace(",", ""))
        return -value if negative else value

    def _take(self, characters: str) -> str | None:
        self._skip()
        if self._at < len(self._text) and self._text[self._at] in characters:
            self._at += 1
            taken = self._text[self._at - 1]
            self._skip()
            return taken
        return None

    def _skip(self) -> None:
        while self._at < len(self._text) and self._text[self._at] in " \t\u00a0":
            self._at += 1

    def _failure(self, expected: str) -> ExpressionError:
        return ExpressionError(f"{self._text!r}: {expected} at character {self._at}")


def literal(text: str) -> Fraction | None:
    """Read a text that is nothing but one number: sign, `$`, commas, `a/b`, `%` (hundredths)."""
    if len(text) > MAX_CHARS:
        return None
    found = _LITERAL.fullmatch(text.strip().translate(str.maketrans("−–", "--")))
    if found is None:
        return None
    value = Fraction(found["number"].replace(",", ""))
    if found["divisor"] is not None:
        divisor = Fraction(found["divisor"].replace(",", ""))
        if not divisor:
            return None
        value /= divisor
    if found["percent"]:
        value /= 100
    return -value if found["sign"] else value


def annotations(text: str) -> list[Annotation]:
    """Find the well-formed annotations of a text, in order."""
    return [
        Annotation(found[1], found[2], found.start(), found.end())
        for found in ANNOTATION.finditer(text)
    ]


def check_annotations(target: str) -> str | None:
    """Say what is wrong with a worked solution's arithmetic; None when all of it holds exactly.

    Every annotation must hold, there must be at least one, and the answer after the last `####`
    must equal the last result. Rounded results do not hold.
    """
    found = annotations(target)
    if target.count("<<") != len(found) or target.count(">>") != len(found):
        return "an annotation is not of the form <<expression=result>>"
    if not found:
        return "no annotation of the form <<expression=result>>"
    result = Fraction(0)
    for annotation in found:
        written = f"<<{annotation.expression}={annotation.result}>>"
        stated = literal(annotation.result)
        if stated is None:
            return f"{written}: the result is not a number"
        try:
            result = evaluate(annotation.expression)
        except ExpressionError as failure:
            return f"{written}: {failure}"
        if result != stated:
            return f"{written}: the expression is {plain(result)}"
    finals = FINAL.findall(target)
    if not finals:
        return "no final answer after ####"
    if literal(finals[-1].rstrip(" .\r")) != result:
        return f"the final answer {finals[-1]!r} is not the last result {plain(result)}"
    return None


def decimal(value: Fraction) -> str | None:
    """Write a number as a plain decimal; None where its decimals do not end within 10 places."""
    scaled = value * 10**MAX_PLACES
    if scaled.denominator != 1:
        return None
    whole, places = divmod(abs(scaled.numerator), 10**MAX_PLACES)
    digits = f"{places:0{MAX_PLACES}d}".rstrip("0")
    return ("-" if value < 0 else "") + str(whole) + (f".{digits}" if digits else "")


def plain(value: Fraction) -> str:
    """Write a number so that it is exact and the same for equal numbers: a decimal, else `a/b`."""
    return decimal(value) or f"{value.numerator}/{value.denominator}"


def format_number(value: Fraction, like: str = "") -> str | None:
    """Write a number the way `like` is written: thousands commas, cents, no zero before the point.

    None where the decimals do not end within 10 places.
    """
    text = decimal(value)
    if text is None:
        return None
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    whole, _, places = digits.partition(".")
    _, _, like_places = like.partition(".")
    # "5.25" and "7.50" are amounts of money: 5.5 is written "5.50" beside them, but 6 only
    # beside "7.50", as sums of cents are often written without them.
    if like_places.endswith("0") or (len(like_places) == 2 and places):
        places = places.ljust(len(like_places), "0")
    if "," in like:
        whole = f"{int(whole):,}"
    if like.lstrip("-$").startswith(".") and whole == "0" and places:
        whole = ""
    return sign + whole + (f".{places}" if places else "")


def calculator_value(expression: str) -> str | None:
    """Compute what GSM8K's calculator writes after `<<expression=`; None where it writes nothing.

    The original prints a float (Cobbe et al. 2021, calculator.py): here integers have no `.0`, and
    a result whose decimals do not end is left to the student.
    """
    try:
        return decimal(evaluate(expression))
    except ExpressionError:
        return None
