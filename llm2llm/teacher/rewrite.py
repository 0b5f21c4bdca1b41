"""A new worked problem from an old one."""

import random
import re
from dataclasses import dataclass

from llm2llm.arithmetic import ExpressionError, check_annotations, evaluate
from llm2llm.teacher.redraw import draw, rewritten_solution, substitute
from llm2llm.teacher.redraw_plan import Plan, plan
from llm2llm.teacher.surface import swap_surface
from llm2llm.teacher.worked_problem import Declined, plain_equations, read

_ANNOTATION = re.compile(r"<<[^<>]*>>")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A new question with its worked solution."""

    question: str
    solution: str


def rewrite(question: str, solution: str, rng: random.Random) -> Rewritten:
    """Write a problem with new numbers, names and things; raises Declined with the reason."""
    planned = plan(read(question, solution))
    drawn = draw(planned, rng)
    new = Rewritten(substitute(question, drawn.mapping), rewritten_solution(planned, drawn))
    _check(planned, new)
    return Rewritten(*swap_surface(new.question, new.solution, rng))


def _check(planned: Plan, new: Rewritten) -> None:
    """Read the new problem afresh; raises Declined where it is not sound, or is the old one."""
    old = planned.problem
    if check_annotations(new.solution) is not None or new.question == old.question:
        raise Declined("the new problem does not hold")
    reread = read(new.question, new.solution)
    if len(reread.stated) != len(old.stated) or len(reread.steps) != len(old.steps):
        raise Declined("the new problem reads differently")
    became = dict(zip((n.value for n in old.stated), (n.value for n in reread.stated), strict=True))
    for before, after in zip(old.steps, reread.steps, strict=True):
        for was, now in zip(before.operands, after.operands, strict=True):
            if became.get(was, now) != now:
                raise Declined("a step and the question no longer state the same number")
    if any(
        now is False
        for was, now in zip(_equations(old.solution), _equations(new.solution), strict=True)
        if was
    ):
        raise Declined("a calculation in the solution's text would no longer hold")


def _equations(solution: str) -> list[bool | None]:
    """Tell of each `a + b = c` in the text whether it holds; None for what cannot be computed."""
    held: list[bool | None] = []
    for expression, result in plain_equations(_ANNOTATION.sub("", solution)):
        try:
            held.append(evaluate(expression) == result)
        except ExpressionError:
            held.append(None)
    return held
