"""`llm2llm preview`: the very requests of the stage, asked once."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from asking_project import N_SEEDS, N_WRONG, before_teacher, fresh, run_stage, write_params
from teacher_server import Reply, completion, error, gsm8k_answer, serving
from typer.testing import CliRunner

from llm2llm.cli.main import app
from llm2llm.exceptions import DataError, ParamsError, TeacherError
from llm2llm.files import read_records
from llm2llm.previewing import STAND_IN
from llm2llm.records.errors import SeedError
from llm2llm.records.responses import Response

KEY = "sk-marker-77d1"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)


def call(*arguments: object) -> str:
    """Call a command that succeeds; give its standard output."""
    result = CliRunner().invoke(app, ["preview", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def loaded(*arguments: object) -> Any:
    """Call a command that succeeds with --json; give what it printed."""
    return json.loads(call(*arguments, "--json"))


def test_without_a_student_every_seed_stands_in(tmp_path: Path) -> None:
    """Before anything has run prompts are made of the seeds that will be drawn, and say so."""
    fresh(tmp_path)
    found = loaded("--n", 2)
    assert (found["iteration"], found["known"], found["n_asked"]) == (0, False, 120)
    assert len(found["requests"]) == 2
    first = found["requests"][0]
    assert [message["role"] for message in first["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert STAND_IN in first["messages"][-1]["content"]
    size = sum(len(message["content"].encode()) for message in first["messages"])
    assert first["n_tokens"] == -(-size // 4)
    assert "no student has answered them yet" in call()
    assert not (tmp_path / ".llm2llm").exists()


def test_real_errors_show_the_students_answer(tmp_path: Path) -> None:
    """Once the student has answered, its wrong answers stand in the prompts."""
    before_teacher(tmp_path)
    found = loaded("--n", 9)
    errors = read_records(tmp_path / "data/iterations/0/errors.parquet", SeedError)
    seeds = [each["seed_id"] for each in found["requests"]]
    assert seeds == [error.seed_id for error in errors]
    assert [each["seed_id"] for each in loaded("--n", 1)["requests"]] == seeds[:1]
    assert (found["known"], found["answered"], found["n_asked"]) == (True, False, N_WRONG)
    assert len(found["requests"]) == N_WRONG
    for request in found["requests"]:
        assert "student 0 says 13" in request["messages"][-1]["content"]
        assert request["answered"] is None
    assert "--ask sends what is not answered yet" in call()
    assert not (tmp_path / ".llm2llm").exists()


def test_what_is_asked_in_a_preview_is_not_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage finds the answers of a preview under its own ids, and sends only the others."""
    monkeypatch.setenv("A_KEY", KEY)
    with serving(kind="gsm8k") as server:
        before_teacher(tmp_path, server.url)
        params = {"api_key_env": "A_KEY", "base_url": server.url, "model": "m"}
        write_params(tmp_path, server.url, teacher_batch={"openai": _openai(tmp_path, **params)})
        shown = loaded("--n", 2)["requests"]
        asked = loaded("--n", 2, "--ask")["requests"]
        assert [each["request_id"] for each in shown] == [each["request_id"] for each in asked]
        assert len(server.received) == 2
        assert all(each["answered"]["readings"][0]["reason"] is None for each in asked)
        assert loaded("--n", 2)["requests"] == asked
        done = run_stage(tmp_path, 0)
        assert done.returncode == 0, done.stderr
        assert len(server.received) == N_WRONG
    rows = read_records(tmp_path / "data/iterations/0/responses.parquet", Response)
    texts = {one.request_id: one.text for one in rows}
    assert [texts[each["request_id"]] for each in asked] == [
        each["answered"]["text"] for each in asked
    ]
    assert loaded("--iteration", 0)["answered"]
    assert CliRunner().invoke(app, ["ledger", "export", "all.jsonl"]).exit_code == 0
    assert KEY not in Path("all.jsonl").read_text(encoding="utf-8")


def _openai(root: Path, **changes: Any) -> dict[str, Any]:
    import yaml

    values = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    return {**values["teacher_batch"]["openai"], **changes}


def test_answers_are_read_and_checked(tmp_path: Path) -> None:
    """An answer that fails a check, one without JSON and a failed request each say why."""
    wrong = json.dumps({"question": "How many?", "answer": "<<1+1=3>>3\n#### 3"})
    replies = [completion(wrong), completion("I cannot."), error(400, "no", "content_filter")]

    def script(_body: dict[str, Any], number: int) -> Reply:
        return replies[number]

    with serving(script) as server:
        before_teacher(tmp_path, server.url, runtime={"teacher_concurrency": 1})
        text = call("--ask")
        assert len(server.received) == 3
        assert text == call("--ask")
        assert len(server.received) == 3
    assert "checks: fails (validity)" in text
    assert "checks: fails (parse): no JSON object with the field 'question'" in text
    assert "-- failed" in text
    assert "cost: unknown" in text


def test_a_missing_key_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the key a preview works; asking names the variable that is not set."""
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    before_teacher(tmp_path)
    openai = _openai(tmp_path, api_key_env="NO_SUCH_KEY")
    write_params(tmp_path, teacher_batch={"openai": openai})
    assert len(loaded()["requests"]) == N_WRONG
    with pytest.raises(TeacherError, match="environment variable NO_SUCH_KEY"):
        call("--ask")


def test_the_budget_holds(tmp_path: Path) -> None:
    """A preview sends no more than the project may, and what it got is kept."""
    with serving(kind="gsm8k") as server:
        before_teacher(tmp_path, server.url, runtime={"max_requests": 2})
        with pytest.raises(TeacherError, match=r"runtime\.max_requests. is 2"):
            call("--ask")
        assert len(server.received) == 2
        answered = [each["answered"] is not None for each in loaded()["requests"]]
    assert sum(answered) == 2


def test_a_broken_template_is_told(tmp_path: Path) -> None:
    """Unknown variables of a task's prompt are named, before anything is rendered."""
    before_teacher(tmp_path)
    path = tmp_path / "llm2llm/tasks/gsm8k.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("{{ target }}", "{{ taget }}"), encoding="utf-8")
    found = r"^llm2llm/tasks/gsm8k\.yaml: `teacher\.user`.*unknown variable `taget`"
    with pytest.raises(ParamsError, match=found):
        call()


def test_answers_that_came_are_shown_when_others_did_not(tmp_path: Path) -> None:
    """One request without an answer hides no other, and the message names what goes on."""

    def script(body: dict[str, Any], number: int) -> Reply:
        if number == 1:
            return error(401, "no such account")
        return completion(gsm8k_answer(body["messages"][-1]["content"], random.Random(number)))

    with serving(script) as server:
        before_teacher(tmp_path, server.url, runtime={"teacher_concurrency": 1})
        result = CliRunner().invoke(app, ["preview", "--ask"])
    assert isinstance(result.exception, TeacherError)
    assert "1 of 3 requests are answered and kept" in str(result.exception)
    assert "`llm2llm preview --ask` goes on from there" in str(result.exception)
    assert "dvc repro" not in str(result.exception)
    assert result.stdout.count("checks: passes") == 1
    assert result.stdout.count("-- no answer came") == 2
    result = CliRunner().invoke(app, ["preview", "--ask", "--json"])
    found = json.loads(result.stdout)
    assert [each["answered"] is not None for each in found["requests"]] == [True, False, False]
    assert found["failure"] == str(result.exception)


def test_only_a_paid_teacher_is_to_be_paid(tmp_path: Path) -> None:
    """The last line says what asking costs: money of an endpoint, nothing of a free teacher."""
    before_teacher(tmp_path)
    assert "not answered yet, which is to be paid for" in call()
    write_params(tmp_path, teacher_batch={"backend": "symbolic"})
    assert "not answered yet, which costs nothing" in call()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--iteration", 2], "found 2, expected 0 to 1, as `iterations` in params.yaml is 2"),
        (["--iteration", -1], "found -1, expected 0 to 1"),
    ],
)
def test_an_iteration_that_asks_nothing_is_told(
    tmp_path: Path, arguments: list[object], message: str
) -> None:
    """The last student and those that are not there teach nobody anything."""
    before_teacher(tmp_path)
    with pytest.raises(ParamsError, match=message):
        call(*arguments)


def test_a_later_iteration_is_shown_with_the_newest_set(tmp_path: Path) -> None:
    """An iteration that is yet to come shows seeds as if wrong."""
    before_teacher(tmp_path)
    found = loaded("--iteration", 1)
    assert (found["known"], found["n_asked"]) == (False, N_SEEDS)


def test_no_project_and_no_iterations_are_told(tmp_path: Path) -> None:
    """Outside a project, and where no teacher is ever asked, the message says so."""
    with pytest.raises(ParamsError, match=r"params\.yaml: no such file"):
        call()
    fresh(tmp_path, iterations=0)
    with pytest.raises(ParamsError, match="`iterations`: found 0, so that no teacher"):
        call()
    assert CliRunner().invoke(app, ["preview", "--n", "0"]).exit_code == 2


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    """Errors that are no Parquet file are told by name."""
    before_teacher(tmp_path)
    (tmp_path / "data/iterations/0/errors.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"errors\.parquet: cannot be read as Parquet"):
        call()
