"""A task's templates are checked as a whole: what they must show, and what is no template."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from llm2llm.params.loading import load_section
from llm2llm.tasks.sections import TeacherPrompt, WorkedExchange
from llm2llm.tasks.templates import check_prompt

TASKS = sorted((Path(__file__).resolve().parent.parent / "llm2llm/tasks").glob("*.yaml"))


def prompt(path: Path, **changes: Any) -> TeacherPrompt:
    """Load a task's prompt, with changes."""
    return load_section(path, "teacher", TeacherPrompt).model_copy(update=changes)


def test_there_are_tasks_to_look_at() -> None:
    """The tests below see tasks of both kinds: with targets of their own, and with the seed's."""
    kinds = {yaml.safe_load(path.read_text())["teacher"]["response"]["target"] for path in TASKS}
    assert len(TASKS) >= 2
    assert None in kinds and len(kinds) > 1


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_the_tasks_that_come_along_hold(path: Path) -> None:
    """None of their templates has a problem."""
    assert check_prompt(prompt(path)) == []


@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_the_gold_answer_must_be_shown(path: Path) -> None:
    """A teacher that does not see it could write another class, or teach the wrong solution."""
    user = prompt(path).user.replace("{{ target }}", "(secret)")
    (problem,) = check_prompt(prompt(path, user=user))
    assert problem == "`teacher.user`: the variable `target` is not used; show it"
    system = f"{prompt(path).system} {{{{ target }}}}"
    assert check_prompt(prompt(path, user=user, system=system)) == []


@pytest.mark.parametrize("name", ["user", "assistant"])
@pytest.mark.parametrize("syntax", ["{{ input }}", "{% if input %}", "{# a note #}"])
def test_jinja_in_the_exchange_is_told(name: str, syntax: str) -> None:
    """What looks like a template there would reach the teacher as it stands."""
    texts = {"user": "Problem: 2+2", "assistant": "4", name: f"Problem: {syntax}"}
    (problem,) = check_prompt(prompt(TASKS[0], exchange=WorkedExchange(**texts)))
    assert problem.startswith(f"`teacher.exchange.{name}`: found '{syntax}', which the teacher")


def test_braces_of_json_and_latex_are_no_jinja() -> None:
    """An answer with nested objects, or a formula, may stand in the exchange."""
    exchange = WorkedExchange(user=r"x^{2} and \frac{1}{2}", assistant='{"a": {"b": {"c": 1}}}')
    assert check_prompt(prompt(TASKS[0], exchange=exchange)) == []
