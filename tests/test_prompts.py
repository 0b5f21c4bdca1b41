"""Prompts are strict: nothing unknown, nothing null, nothing dangerous is rendered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.exceptions import ParamsError
from llm2llm.prompts import check_template, render


@given(st.text())
def test_values_are_rendered_as_they_are(text: str) -> None:
    """No value is escaped, trimmed or read as a template."""
    assert render("<{{ input }}>\n", input=text) == f"<{text}>\n"


def test_unknown_variable_is_named() -> None:
    """A variable that no field gives stops rendering, with its name and the known ones."""
    with pytest.raises(ParamsError, match=r"unknown variable `inptu`; known: input, target"):
        render("{{ inptu }}", input="a", target="b")


def test_unknown_variable_in_a_branch_not_taken_is_named_too() -> None:
    """A misspelling is found even where these values would not reach it."""
    with pytest.raises(ParamsError, match="`studnet_text`"):
        render("{% if input == 'x' %}{{ studnet_text }}{% endif %}", input="a")


def test_null_field_may_be_tested_for() -> None:
    """A null field is false in a condition."""
    template = "a{% if student_text %} {{ student_text }}{% endif %}"
    assert render(template, student_text=None) == "a"
    assert render(template, student_text="b") == "a b"


def test_null_field_is_not_printed() -> None:
    """A null field never becomes the word None."""
    with pytest.raises(ParamsError, match="null"):
        render("{{ student_text }}", student_text=None)


@pytest.mark.parametrize(
    "template",
    [
        "{{ input.__class__.__mro__ }}",
        "{{ input.nothing }}",
        "{{ input + 1 }}",
        "{{ 1 // 0 }}",
        "{% for i in range(10 ** 9) %}x{% endfor %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    ],
)
def test_faults_at_run_time_are_params_errors(template: str) -> None:
    """Whatever a template does wrong with values is reported as a problem of the task file."""
    with pytest.raises(ParamsError, match="task file"):
        render(template, input="a")


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{{ input", "line 1"),
        ("a\n{% if input %}", "line 2"),
        ("{{ input | shout }}", "shout"),
        ("{{ answer }}{{ question }}", "`answer`"),
    ],
)
def test_problems_are_found_without_data(template: str, found: str) -> None:
    """Syntax, filters and variables are checked before any row is read."""
    problems = check_template(template, {"input"})
    assert found in problems[0]


def test_every_unknown_variable_is_listed() -> None:
    """All unknown variables come at once; a good template has no problem."""
    assert len(check_template("{{ a }}{{ b }}{{ input }}", {"input"})) == 2
    assert check_template("{% for i in range(3) %}{{ input }}{{ i }}{% endfor %}", {"input"}) == []
