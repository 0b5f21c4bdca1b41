"""Errors of params repeat no secret that was pasted where it does not belong."""

from pathlib import Path
from typing import Any

import pytest
from asking_project import fresh, write_params

from llm2llm.exceptions import ParamsError
from llm2llm.params.loading import load_section, read_yaml
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.teacher_batch import TeacherBatchParams
from llm2llm.params.whole import problems

SECRET = "sk-proj-marker77d1"


def told(root: Path) -> str:
    """Load the teacher's section, which does not hold; give the message, which plan gives too."""
    with pytest.raises(ParamsError) as caught:
        load_section(root / "params.yaml", "teacher_batch", TeacherBatchParams)
    assert set(str(caught.value).splitlines()) <= set(
        problems(root / "params.yaml", root / "stages/pool.yaml")
    )
    return str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("api_key_env", SECRET),
        ("api_key_env", [SECRET]),
        ("base_url", f"https://me:{SECRET}@host/v1"),
        ("base_url", f"https://host/v1?key={SECRET}"),
        ("base_url", {"url": SECRET}),
        ("extra_body", {"n": 1, "api_key": SECRET}),
        ("extra_body", SECRET),
        ("model", {"key": SECRET}),
    ],
)
def test_a_pasted_secret_is_not_repeated(tmp_path: Path, field: str, value: Any) -> None:
    """The message names the field and what is expected there, and not what was found."""
    fresh(tmp_path)
    openai = {"api_key_env": None, "extra_body": {}, **_section(tmp_path), field: value}
    write_params(tmp_path, teacher_batch={"openai": openai})
    message = told(tmp_path)
    assert f"`teacher_batch.openai.{field}`" in message
    assert "expected: " in message
    assert "marker" not in message


@pytest.mark.parametrize("value", [SECRET, [SECRET]])
def test_a_secret_in_place_of_a_section_is_not_repeated(tmp_path: Path, value: Any) -> None:
    """Of what stands where a section belongs only the kind is told."""
    fresh(tmp_path)
    write_params(tmp_path, teacher_batch={"openai_batch": value})
    message = told(tmp_path)
    assert f"`teacher_batch.openai_batch`: found {type(value).__name__}, expected: " in message
    assert "marker" not in message


def test_a_section_whose_fields_disagree_is_not_dumped(tmp_path: Path) -> None:
    """The message of a check over a whole section does not show the section."""
    fresh(tmp_path)
    openai = {**_section(tmp_path), "extra_body": {"api_key": SECRET}}
    write_params(tmp_path, teacher_batch={"openai": openai, "backend": "vllm"})
    assert told(tmp_path) == (
        f"{tmp_path / 'params.yaml'}: `teacher_batch`: expected: vllm: a section, as `backend`"
        " names it; docs/teacher.md has one to copy"
    )
    write_params(tmp_path, runtime={"max_cost": 1.0})
    with pytest.raises(ParamsError, match=r"`runtime`: expected: max_cost can be kept only"):
        load_section(tmp_path / "params.yaml", "runtime", RuntimeParams)


def test_a_broken_line_is_not_repeated(tmp_path: Path) -> None:
    """A file that is no YAML is told by line and column, without the line."""
    path = tmp_path / "params.yaml"
    path.write_text(f"a: 1\nb: {{c: {SECRET}: d: [\n", encoding="utf-8")
    with pytest.raises(ParamsError, match=r"line 2, column \d+: ") as caught:
        read_yaml(path)
    assert "marker" not in str(caught.value)


def test_a_pattern_is_shown_as_it_is(tmp_path: Path) -> None:
    """Capital letters of a pattern that was to be matched stay capital."""
    fresh(tmp_path)
    openai = {**_section(tmp_path), "api_key_env": "not a name"}
    write_params(tmp_path, teacher_batch={"openai": openai})
    assert "string should match pattern '^[A-Z_][A-Z0-9_]*$'" in told(tmp_path)


def test_other_values_are_shown(tmp_path: Path) -> None:
    """Where no secret belongs the value that was found is told."""
    fresh(tmp_path)
    write_params(tmp_path, teacher_batch={"attempts": 0})
    assert "`teacher_batch.attempts`: found 0, expected: input should be" in told(tmp_path)


def _section(root: Path) -> dict[str, Any]:
    openai: dict[str, Any] = read_yaml(root / "params.yaml")["teacher_batch"]["openai"]
    return openai
