"""Which numbers of a worked problem may change, and what must hold when they do."""

import re
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from llm2llm.teacher.fixed_values import derived_constants, fixed_values
from llm2llm.teacher.worked_problem import Declined, WorkedProblem, numbers_in

# Words that make a solution depend on which number is larger.
_DECISIVE = re.compile(
    r"[<>≥≤]|\b(?:most|least|fewest|(?:larg|small|great|high|low|bigg|long|short|old|young|fast|slow|"
    r"heavi|cheap|tall|near|clos|quick|strong|earli|lat)est|winners?|won|wins?|cheaper|maximum|"
    r"minimum|max|min|exceed\w*|limit\w*|whichever|overtime|enough|afford|qualif\w*)\b",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:if|unless|until|over|above|below|under|beyond|up to|when|once|more than|less than|"
    r"after|first|every|minimum|maximum|only|capacity|holds?)\b",
    re.IGNORECASE,
)
_AGE = re.compile(r"\b(?:years? old|year-old|ages?|aged|older|younger)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Plan:
    """What may change: `free` values in the question's order; `ordered` values keep their order.

    With `apart` the last result only happens to equal another value: both may change freely.
    `ages` says that years of age are among the numbers.
    """

    problem: WorkedProblem
    free: tuple[Fraction, ...]
    fixed: frozenset[Fraction]
    ordered: tuple[Fraction, ...]
    apart: bool
    ages: bool


def plan(problem: WorkedProblem) -> Plan:
    """Decide which values may change; raises Declined where a number's part is not clear."""
    fixed = fixed_values(problem)
    stated, used = problem.stated_values, problem.used_values
    results: set[Fraction] = set()
    constants = derived_constants(fixed)
    for step in problem.steps:
        for value in step.operands:
            if value not in stated and value not in results and value not in constants:
                raise Declined("a step uses a number that nothing explains")
        _check_squares(problem, step.expression, step.operands, fixed)
        results.add(step.result)
    known = stated | results | constants | used | {problem.final.result}
    prose = re.sub(r"<<[^<>]*>>", "", problem.solution)
    apart = _is_apart(problem, stated | fixed | used)
    if apart:
        results = {step.result for step in problem.steps if step is not problem.final}
    for number in numbers_in(prose):
        if number.value not in known and not number.is_word:
            raise Declined("the solution's text has a number that no step explains")
    kept = (fixed | (used - stated - results)) | {v for v in results if v in stated}
    free = tuple(
        dict.fromkeys(n.value for n in problem.stated if n.value in used and n.value not in kept)
    )
    if not free:
        raise Declined("no number that may change")
    unused = stated - used - fixed
    _check_unused(unused, results, stated)
    both = problem.question + prose
    decisive = _DECISIVE.search(both) or (unused and _CONDITION.search(problem.question))
    ordered = tuple(sorted(stated | results)) if decisive else ()
    ages = bool(_AGE.search(problem.question))
    return Plan(problem, free, frozenset(kept), ordered, apart, ages)


def _is_apart(problem: WorkedProblem, others: frozenset[Fraction]) -> bool:
    """Tell whether the last result equals another value by chance, and the text keeps them apart.

    It does where, from the last annotation on, the value stands only as its result, right behind
    it and as the final answer; and before it in the same line only as one of its operands.
    """
    value, start = problem.final.result, problem.result_start
    earlier = {step.result for step in problem.steps if step is not problem.final}
    if value not in others | earlier:
        return False
    tail = problem.solution[start:]
    n_right_behind = len(numbers_in(re.split(r">>\$?", tail, maxsplit=1)[1][:1]))
    n_after = sum(number.value == value for number in numbers_in(tail))
    head = problem.solution[:start].rsplit("\n", 1)[-1].rsplit("<<", 1)[0]
    n_before = sum(number.value == value for number in numbers_in(head))
    return n_after == 2 + n_right_behind and n_before in (0, problem.final.operands.count(value))


def _check_squares(
    problem: WorkedProblem,
    expression: str,
    operands: tuple[Fraction, ...],
    fixed: frozenset[Fraction],
) -> None:
    """Refuse a number that a step multiplies with itself but that the question states once.

    One of the two is implied: 4 dogs have 4 * 4 legs.
    """
    if "*" not in expression and "/" not in expression:
        return
    n_stated = Counter(number.value for number in problem.stated)
    for value, n_used in Counter(operands).items():
        if n_used > 1 and value not in fixed and n_stated[value] == 1:
            raise Declined("a step multiplies a number by itself")


def _check_unused(
    unused: frozenset[Fraction],
    results: set[Fraction],
    stated: frozenset[Fraction],
) -> None:
    """Refuse a stated number that no step uses but that others add up to: "18 things: 6, 4, 8"."""
    for value in unused:
        others = sorted(stated - {value})
        if value in results or _is_total(value, others[:12]):
            raise Declined("the question states a number that follows from others")


def _is_total(value: Fraction, others: list[Fraction]) -> bool:
    sums: dict[Fraction, int] = {Fraction(0): 0}
    for other in others:
        for total, n_terms in list(sums.items()):
            if total + other <= value:
                sums.setdefault(total + other, n_terms + 1)
    products = {a * b for i, a in enumerate(others) for b in others[i + 1 :]}
    return sums.get(value, 0) > 1 or value in products
