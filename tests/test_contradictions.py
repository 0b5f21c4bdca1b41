"""What would end a run after hours is told before it, by validate and by plan alike."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from asking_project import fresh, write_params
from typer.testing import CliRunner
from vllm_inputs import vllm_params

from llm2llm.cli.main import app
from llm2llm.params.contradictions import symbolic_problems
from llm2llm.tasks.sections import AnswerFormat

ROOT = Path(__file__).resolve().parent.parent
TASK = "llm2llm/tasks/gsm8k.yaml"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project in which nothing has run, and go there."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    return fresh(tmp_path)


def found() -> list[str]:
    """Ask validate what it finds; its exit code agrees."""
    result = CliRunner().invoke(app, ["validate", "--no-reach"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    lines = [line for line in result.stdout.splitlines() if line.startswith("problem: ")]
    assert bool(lines) == bool(result.exit_code)
    return [line.removeprefix("problem: ") for line in lines]


def planned(project: Path) -> subprocess.CompletedProcess[str]:
    """Run the stage that DVC runs first."""
    return subprocess.run(
        [sys.executable, ROOT / "stages/plan.py"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def endpoint(**changes: Any) -> dict[str, Any]:
    """Give the section of an endpoint as the project has it, with changes."""
    values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    return {**values["teacher_batch"]["openai"], **changes}


def batches(**changes: Any) -> dict[str, Any]:
    """Give the section of a Batch API."""
    return endpoint(
        completion_window="24h",
        max_requests_per_batch=10,
        max_bytes_per_batch=1000,
        max_enqueued_tokens=None,
        **changes,
    )


def write_task(**changes: Any) -> None:
    """Change the task's section about the teacher."""
    values = yaml.safe_load(Path(TASK).read_text(encoding="utf-8"))
    values["teacher"] |= changes
    Path(TASK).write_text(yaml.safe_dump(values), encoding="utf-8")


def text_response() -> dict[str, Any]:
    """Give a format that reads candidates from plain text."""
    return {"kind": "text", "input": "q", "target": "a", "pattern": "(?P<q>.+)\n(?P<a>.+)"}


def symbolic_votes() -> None:
    """Ask for votes of a teacher that solves nothing."""
    write_params(Path(), teacher_batch={"backend": "symbolic", "solves": 3})


def symbolic_about_text() -> None:
    """Have the symbolic teacher write answers that are no worked arithmetic."""
    values = yaml.safe_load(Path(TASK).read_text(encoding="utf-8"))
    values["answer"] |= {"kind": "text", "pattern": None}
    Path(TASK).write_text(yaml.safe_dump(values), encoding="utf-8")
    write_params(Path(), teacher_batch={"backend": "symbolic"})


def votes_without_a_question() -> None:
    """Ask for votes with no template to ask with."""
    write_task(solve=None)
    write_params(Path(), teacher_batch={"solves": 5})


def hub_model_without_a_commit() -> None:
    """Name a hub model whose weights may change."""
    section = vllm_params(Path("some/model")).model_dump() | {"revision": "main"}
    write_params(Path(), teacher_batch={"backend": "vllm", "vllm": section})


def folder_without_a_model() -> None:
    """Name a folder that is not there."""
    section = vllm_params(Path("./none")).model_dump() | {"model": "./none", "revision": None}
    write_params(Path(), teacher_batch={"backend": "vllm", "vllm": section})


def budget_without_a_length(**limits: float) -> None:
    """Limit tokens and money where an answer may have any length."""
    openai = endpoint(max_tokens=None)
    write_params(Path(), teacher_batch={"openai": openai}, runtime=limits)


def max_tokens_of_batches() -> None:
    """Do so for a Batch API."""
    section = batches(max_tokens=None)
    changes = {"backend": "openai-batch", "openai_batch": section}
    write_params(Path(), teacher_batch=changes, runtime={"max_tokens": 10})


def max_cost() -> None:
    """Limit money alone."""
    prices = "price_per_million_prompt_tokens", "price_per_million_completion_tokens"
    budget_without_a_length(max_cost=1.0, **dict.fromkeys(prices, 1.0))


def text_and_json(backend: str) -> None:
    """Have an endpoint write JSON for a task that reads plain text."""
    write_task(response=text_response())
    sections = {"openai": endpoint(), "openai_batch": batches()}
    write_params(Path(), teacher_batch={"backend": backend, **sections})


CASES = {
    "symbolic votes": (symbolic_votes, "`teacher_batch.solves`: found 3, expected 0"),
    "votes": (votes_without_a_question, "`teacher_batch.solves`: found 5, expected 0"),
    "vllm commit": (hub_model_without_a_commit, "`teacher_batch.vllm.revision`: found 'main'"),
    "vllm folder": (folder_without_a_model, "found no config.json in it"),
    "max_tokens": (
        lambda: budget_without_a_length(max_tokens=10),
        "`teacher_batch.openai.max_tokens`: found null, expected a number: `runtime.max_tokens`",
    ),
    "max_tokens of batches": (
        max_tokens_of_batches,
        "`teacher_batch.openai_batch.max_tokens`: found null, expected a number",
    ),
    "max_cost": (max_cost, "a number: `runtime.max_cost`"),
    "text": (lambda: text_and_json("openai"), "`teacher_batch.openai.response_format`: found json"),
    "text of batches": (
        lambda: text_and_json("openai-batch"),
        "`teacher_batch.openai_batch.response_format`: found json_schema, expected none",
    ),
    "symbolic kind": (
        symbolic_about_text,
        "`teacher_batch.backend`: found symbolic, and the task's `answer.kind` is text",
    ),
    "symbolic text": (lambda: text_and_json("symbolic"), "`teacher_batch.backend`: found symbolic"),
}


@pytest.mark.parametrize("name", CASES)
def test_validate_and_plan_tell(project: Path, name: str) -> None:
    """Each contradiction is one line that names file and key; the pipeline's first stage fails."""
    assert found() == []
    spoil, message = CASES[name]
    spoil()
    (problem,) = found()
    assert problem.startswith("params.yaml: `teacher_batch.")
    assert message in problem
    done = planned(project)
    assert done.returncode == 2
    assert done.stderr == f"error: {problem}\n"
    assert not (project / "data/plan.json").exists()


@pytest.mark.parametrize(
    ("kind", "pattern", "n"),
    [("number", r"####[ \t]*([^\n]*)", 0), ("number", r"Answer: (\d+)", 1), ("number", None, 1)],
)
def test_the_symbolic_teacher_ends_with_its_number(kind: str, pattern: str | None, n: int) -> None:
    """A task of numbers that are read elsewhere gets no example from it."""
    answer = AnswerFormat.model_validate({"kind": kind, "pattern": pattern, "labels": None})
    assert len(symbolic_problems(answer)) == n


@pytest.mark.parametrize("name", CASES)
def test_quote_and_preview_tell(project: Path, name: str) -> None:
    """Neither prices nor shows what the stage would refuse."""
    CASES[name][0]()
    for command in ("quote", "preview"):
        result = CliRunner().invoke(app, [command])
        assert CASES[name][1] in str(result.exception), result.output
    assert not (project / ".llm2llm").exists()


def test_all_come_at_once(project: Path) -> None:
    """Three contradictions are three lines, beside a problem of another section."""
    write_task(response=text_response(), solve=None)
    openai = endpoint(max_tokens=None)
    teacher = {"openai": openai, "solves": 2}
    write_params(Path(), teacher_batch=teacher, runtime={"max_tokens": 1}, foo=1)
    assert len(found()) == 4
    assert len(planned(project).stderr.splitlines()) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"openai": {"max_tokens": None, "extra_body": {"max_completion_tokens": 9}}},
        {"openai": {"max_tokens": None}, "replay": True},
    ],
)
def test_a_limit_that_can_be_kept_is_no_problem(project: Path, changes: dict[str, Any]) -> None:
    """Another name for the limit counts, and with `replay` nothing is sent."""
    openai = endpoint(**changes["openai"])
    write_params(project, teacher_batch={**changes, "openai": openai}, runtime={"max_tokens": 10})
    assert found() == []


@pytest.mark.parametrize("backend", ["openai", "openai-batch"])
def test_a_key_that_is_missing_is_the_machines_problem(
    project: Path, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """Validate tells of it, plan does not."""
    monkeypatch.delenv("A_KEY", raising=False)
    section = {"api_key_env": "A_KEY"}
    sections = {"openai": endpoint(**section), "openai_batch": batches(**section)}
    write_params(project, teacher_batch={"backend": backend, **sections})
    (problem,) = found()
    assert "the environment variable A_KEY is not set" in problem
    assert f"params.yaml: `teacher_batch.{backend.replace('-', '_')}.api_key_env`" in problem
    assert planned(project).returncode == 0
    monkeypatch.setenv("A_KEY", "secret")
    assert found() == []
