"""New numbers for a worked problem, so that its chain of steps still holds."""

import itertools
import math
import random
from dataclasses import dataclass
from fractions import Fraction

from llm2llm.arithmetic import ExpressionError, evaluate, format_number
from llm2llm.teacher.redraw_plan import Plan
from llm2llm.teacher.worked_problem import Declined, numbers_in, spell

Mapping = dict[Fraction, Fraction]

N_DRAWS = 200
# A result may become this many times the largest number of the seed, or 20.
MAX_GROWTH = 4
MAX_SPELLED = 20
# A person's age, where the seed's is no higher.
MAX_AGE = 100


@dataclass(frozen=True, slots=True)
class Drawn:
    """New values by old value, and the new last result."""

    mapping: Mapping
    final: Fraction


def draw(plan: Plan, rng: random.Random) -> Drawn:
    """Draw a new value for every value that changes; raises Declined when no draw holds.

    First most of the free values change, towards the last draws fewer and fewer.
    """
    final = plan.problem.final.result
    for i in range(N_DRAWS):
        n_free = len(plan.free)
        if i < N_DRAWS // 2:
            n_changed = max(1, sum(rng.random() < 0.8 for _ in range(n_free)))
        else:
            n_changed = max(1, n_free - 2 * (i - N_DRAWS // 2) * n_free // N_DRAWS)
        new = {value: _new_value(value, rng) for value in rng.sample(plan.free, n_changed)}
        if all(value == old for old, value in new.items()):
            continue
        drawn = _follow(plan, new)
        if drawn is None or (drawn.final == final and i < N_DRAWS // 2):
            continue
        return drawn
    raise Declined("no new numbers found that keep the solution sound")


def rewritten_solution(plan: Plan, drawn: Drawn) -> str:
    """Write the solution with new numbers."""
    solution, start = plan.problem.solution, plan.problem.result_start
    after = drawn.mapping | {plan.problem.final.result: drawn.final}
    return substitute(solution[:start], drawn.mapping) + substitute(solution[start:], after)


def substitute(text: str, mapping: Mapping) -> str:
    """Write the new values in place of the old, each in the form of the old one.

    Raises Declined where a value has no such form.
    """
    parts, at = [], 0
    for number in numbers_in(text):
        value = mapping.get(number.value, number.value)
        if value == number.value:
            continue
        parts += [text[at : number.start], _written(value, number.text)]
        at = number.end
    return "".join([*parts, text[at:]])


def _written(value: Fraction, like: str) -> str:
    if not like[0].isalpha():
        written = format_number(value, like)
        if written is None:
            raise Declined("a new number cannot be written as a short decimal")
        return written
    word = spell(value) if value <= MAX_SPELLED else None
    if word is None:
        written = format_number(value)
        if written is None or value.denominator != 1:
            raise Declined("a new number cannot be written as a word")
        return written
    return word.capitalize() if like[0].isupper() else word


def _follow(plan: Plan, new: Mapping) -> Drawn | None:
    """Recompute the chain from new values; None where it does not hold."""
    problem = plan.problem
    mapping = {value: value for value in problem.stated_values | plan.fixed} | new
    largest = max({step.result for step in problem.steps} | problem.stated_values)
    largest_allowed = max(MAX_GROWTH * largest, Fraction(20))
    final = problem.final.result
    for step in problem.steps:
        try:
            result = evaluate(substitute(step.expression, mapping))
        except (ExpressionError, Declined):
            return None
        if not _alike(result, step.result) or result > largest_allowed:
            return None
        if step is problem.final:
            final = result
            if plan.apart:
                continue
        # One old value must become one new value, or the text would no longer be clear.
        if mapping.setdefault(step.result, result) != result:
            return None
    ordered = [mapping[value] for value in plan.ordered if value in mapping]
    if any(a >= b for a, b in itertools.pairwise(ordered)):
        return None
    if plan.ages and any(
        now > MAX_AGE >= was for was, now in [*mapping.items(), (problem.final.result, final)]
    ):
        return None
    return Drawn(mapping, final)


def _alike(new: Fraction, old: Fraction) -> bool:
    """Tell whether a result is as plausible as the old: sign, and at most as many decimals."""
    if (new > 0) != (old > 0) or new < 0:
        return False
    return (new * max(1, _scale(old))).denominator == 1


def _scale(value: Fraction) -> int:
    """Find the power of ten that makes a decimal whole; cents for all that has decimals."""
    return 1 if value.denominator == 1 else max(100, 10 ** math.ceil(math.log10(value.denominator)))


def _new_value(value: Fraction, rng: random.Random) -> Fraction:
    """Draw between half and twice the value, with its decimals and, mostly, as round as it is."""
    if value.denominator != 1:
        scale = 10 if (value * 10).denominator == 1 else _scale(value)
        return Fraction(_new_whole(int(value * scale), rng), scale)
    return Fraction(_new_whole(int(value), rng))


def _new_whole(value: int, rng: random.Random) -> int:
    unit = next((u for u in (1000, 100, 10, 5) if value % u == 0 and value >= 4 * u), 1)
    low, high = max(2, -(-value // 2)), 2 * value + 1
    if unit == 1 or rng.random() < 0.1:
        return rng.randint(low, high)
    return rng.randint(max(1, low // unit), high // unit) * unit
