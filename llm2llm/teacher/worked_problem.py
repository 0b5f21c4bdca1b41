"""A problem with its worked solution, read into numbers and an annotated chain of steps."""

import functools
import re
from dataclasses import dataclass
from fractions import Fraction

from llm2llm.arithmetic import (
    FINAL,
    ExpressionError,
    annotations,
    check_annotations,
    evaluate,
    literal,
)

_UNITS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty
"""
_TENS = "thirty forty fifty sixty seventy eighty ninety"
WORDS = {word: i for i, word in enumerate(_UNITS.split())} | {
    word: 30 + 10 * i for i, word in enumerate(_TENS.split())
}
_SPELLED = {value: word for word, value in WORDS.items()}

# A number in running text: not part of a word ("B12"), its point not the end of a sentence. The
# x of "2x3" is no letter.
_NUMBER = re.compile(
    r"(?:(?<![A-Za-z_0-9.])|(?<=[0-9]x))(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?"
    r"|(?<![\w.])\.[0-9]+"
    # "forty-two" and "two-thirds" are not the number of their first word.
    rf"|(?<![\w-])(?:{'|'.join(sorted(WORDS, key=len, reverse=True))})(?!\w|-(?:one|two|three|four"
    r"|five|six|seven|eight|nine|hal|third|fourth|quarter|fifth|sixth|eighth|tenth))",
    re.IGNORECASE,
)
_OPERATOR = re.compile(r"[-+*/x×÷%]", re.IGNORECASE)
# "48 clips / 2 = 24 clips" computes once its words, and units such as clips/month, are left out.
_UNIT = re.compile(r"/?\b[A-Za-wyzA-WYZ][A-Za-z]*(?:/[A-Za-z]+)*")
_EQUATION = re.compile(
    r"([0-9.,$()*/x×÷+% -]*[0-9)%] *)= *\$?([0-9,]*\.?[0-9]+)(?![0-9]|[.,]?[0-9])"
)


class Declined(Exception):  # noqa: N818 (an answer of the teacher, not a failure)
    """The problem cannot be rewritten safely; the message says why."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it stands in a text, as digits or as a word."""

    start: int
    end: int
    text: str
    value: Fraction

    @property
    def is_word(self) -> bool:
        """Tell "twelve" from "12"."""
        return self.text[0].isalpha()


@dataclass(frozen=True, slots=True)
class Step:
    """One calculation: the expression, the values in it, and its result."""

    expression: str
    operands: tuple[Fraction, ...]
    result: Fraction


@dataclass(frozen=True, slots=True)
class WorkedProblem:
    """A question, its solution, the numbers stated in the question, and the steps in order.

    Calculations that the solution writes without an annotation are steps too; `final` is the last
    annotation's, and its result begins at `result_start` of the solution.
    """

    question: str
    solution: str
    stated: tuple[Number, ...]
    steps: tuple[Step, ...]
    final: Step
    result_start: int

    @property
    def stated_values(self) -> frozenset[Fraction]:
        """Collect the values that the question states."""
        return frozenset(number.value for number in self.stated)

    @property
    def used_values(self) -> frozenset[Fraction]:
        """Collect the values that the steps compute with."""
        return frozenset(value for step in self.steps for value in step.operands)


# A chain is recomputed for every draw, from the same few expressions.
@functools.lru_cache(maxsize=256)
def numbers_in(text: str) -> tuple[Number, ...]:
    """Find the numbers of a text, digits and words, in order."""
    return tuple(
        Number(found.start(), found.end(), found[0], _value(found[0]))
        for found in _NUMBER.finditer(text)
    )


def spell(value: Fraction) -> str | None:
    """Write a number as one English word; None where there is none."""
    return _SPELLED.get(int(value)) if value.denominator == 1 else None


def read(question: str, solution: str) -> WorkedProblem:
    """Read a worked problem; raises Declined where its arithmetic is not exact and explicit."""
    found = annotations(solution)
    if not found or not FINAL.search(solution):
        raise Declined("no worked solution with <<expression=result>> and a final ####")
    if check_annotations(solution) is not None:
        raise Declined("the solution's annotations are rounded, wrong or incomplete")
    steps: list[Step] = []
    at = 0
    for annotation in found:
        steps += _plain_steps(solution[at : annotation.start])
        result = literal(annotation.result)
        if result is None or "%" in annotation.result or "/" in annotation.result:
            raise Declined("a result that is not a plain number")
        if not _OPERATOR.search(annotation.expression.strip().lstrip("-")):
            raise Declined("an annotation without an operation")
        if result < 0:
            raise Declined("a negative result")
        final = Step(annotation.expression, _operands(annotation.expression), result)
        steps.append(final)
        at = annotation.end
    steps += _plain_steps(solution[at:])
    result_start = found[-1].start + solution[found[-1].start :].index("=") + 1
    stated = numbers_in(question)
    return WorkedProblem(question, solution, stated, tuple(steps), final, result_start)


def plain_equations(text: str) -> list[tuple[str, Fraction]]:
    """Find each `expression = number` that is not an annotation; line by line, in order."""
    return [
        (found[1], Fraction(found[2].replace(",", "")))
        for line in text.splitlines()
        for found in _EQUATION.finditer(_UNIT.sub("", line))
    ]


def _plain_steps(text: str) -> list[Step]:
    steps = []
    for expression, result in plain_equations(text):
        try:
            holds = evaluate(expression) == result
        except ExpressionError:
            continue
        if holds and result >= 0 and _OPERATOR.search(expression):
            steps.append(Step(expression, _operands(expression), result))
    return steps


def _operands(expression: str) -> tuple[Fraction, ...]:
    return tuple(number.value for number in numbers_in(expression))


def _value(text: str) -> Fraction:
    word = WORDS.get(text.lower())
    return Fraction(text.replace(",", "")) if word is None else Fraction(word)
