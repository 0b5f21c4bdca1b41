"""`llm2llm quote`: no run sends more than it says, and nothing is sent to say it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from asking_project import N_SEEDS, N_WRONG, before_teacher, fresh, run_stage, write_params
from ledger_rows import row
from teacher_server import Reply, completion, gsm8k_answer, serving
from typer.testing import CliRunner

from llm2llm.cli.main import app
from llm2llm.exceptions import DataError, MachineError, ParamsError
from llm2llm.ledger.database import Ledger, insert_imported

PRICES = {"price_per_million_prompt_tokens": 2.0, "price_per_million_completion_tokens": 10.0}


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)


def call(*arguments: str) -> str:
    """Call a command that succeeds; give its standard output."""
    result = CliRunner().invoke(app, ["quote", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def quoted() -> Any:
    """Ask for a quote as JSON."""
    return json.loads(call("--json"))


@pytest.mark.parametrize(("attempts", "solves"), [(1, 0), (3, 0), (2, 3)])
def test_the_bound_is_every_seed_every_time(tmp_path: Path, attempts: int, solves: int) -> None:
    """Before any student: iterations x seeds x attempts x (1 + solves) at most."""
    fresh(tmp_path, teacher_batch={"attempts": attempts, "solves": solves})
    found = quoted()
    assert found["most"]["n_requests"] == 2 * 120 * attempts * (1 + solves)
    assert found["expected"]["n_requests"] == 2 * 120 * (1 + solves)
    assert [each["known"] for each in found["iterations"]] == [False, False]
    assert any("none has answered yet" in text for text in found["assumptions"])
    assert not (tmp_path / ".llm2llm").exists()


def test_unknown_prices_stay_unknown(tmp_path: Path) -> None:
    """Without both prices, or without a limit on answers, no cost is made up."""
    fresh(tmp_path)
    found = quoted()
    assert (found["most"]["cost"], found["expected"]["cost"]) == (None, None)
    assert "unknown" in call()
    openai = _openai(tmp_path, max_tokens=None)
    write_params(tmp_path, runtime=PRICES, teacher_batch={"openai": openai})
    found = quoted()
    assert found["most"]["n_completion_tokens"] is None
    assert found["most"]["cost"] is None
    assert found["expected"]["cost"] > 0


def test_costs_are_tokens_at_the_prices(tmp_path: Path) -> None:
    """Both amounts are priced by their own tokens; the bound takes the longest answer allowed."""
    fresh(tmp_path, runtime=PRICES)
    found = quoted()
    for amount in (found["most"], found["expected"]):
        cost = (amount["n_prompt_tokens"] * 2 + amount["n_completion_tokens"] * 10) / 1e6
        assert amount["cost"] == pytest.approx(cost)
    assert found["most"]["n_completion_tokens"] == 240 * 200
    assert 0 < found["expected"]["cost"] < found["most"]["cost"]


def _openai(root: Path, **changes: Any) -> dict[str, Any]:
    values = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    return {**values["teacher_batch"]["openai"], **changes}


def test_known_errors_are_counted_and_later_ones_assumed(tmp_path: Path) -> None:
    """After the first student its errors are what is asked, and the next is taken to be alike."""
    before_teacher(tmp_path, teacher_batch={"attempts": 2})
    found = quoted()
    first, second = found["iterations"]
    assert (first["known"], first["n_asked"]) == (True, N_WRONG)
    assert (first["expected"]["n_requests"], first["most"]["n_requests"]) == (N_WRONG, 2 * N_WRONG)
    assert (second["known"], second["n_asked"]) == (False, N_WRONG)
    assert second["most"]["n_requests"] == 2 * N_SEEDS
    assert any(f"gets {N_WRONG} of {N_SEEDS} seeds wrong" in text for text in found["assumptions"])


def test_what_the_ledger_holds_is_not_counted(tmp_path: Path) -> None:
    """Answers that a preview got are not quoted again; with all of them nothing is left to send."""
    with serving(kind="gsm8k") as server:
        before_teacher(tmp_path, server.url)
        ask = ["preview", "--n", "2", "--ask"]
        assert CliRunner().invoke(app, ask).exit_code == 0
        first = quoted()["iterations"][0]
        assert (first["n_held"], first["most"]["n_requests"]) == (2, N_WRONG - 2)
        assert run_stage(tmp_path, 0).returncode == 0
        first = quoted()["iterations"][0]
        assert (first["n_held"], first["most"]["n_requests"]) == (N_WRONG, 0)
        assert len(server.received) == N_WRONG
        write_params(tmp_path, server.url, random_seed=8)
        first = quoted()["iterations"][0]
        assert (first["n_held"], first["most"]["n_requests"]) == (0, N_WRONG)


@pytest.mark.parametrize("share_bad", [0, 2, 1])
def test_no_run_sends_more_than_the_bound(tmp_path: Path, share_bad: int) -> None:
    """A teacher whose answers all, half or never fail the checks stays within the quote."""

    def script(body: dict[str, Any], number: int) -> Reply:
        user = body["messages"][-1]["content"]
        if user.startswith("Solve this"):
            return completion("#### 1") if number % 2 else completion("#### 2")
        if share_bad and number % share_bad == 0:
            return completion("nothing in it")
        import random

        return completion(gsm8k_answer(user, random.Random(number)))

    with serving(script) as server:
        before_teacher(tmp_path, server.url, teacher_batch={"attempts": 3, "solves": 2})
        bound = quoted()["iterations"][0]["most"]
        done = run_stage(tmp_path, 0)
        assert done.returncode == 0, done.stderr
        n_sent = len(server.received)
        assert N_WRONG <= n_sent <= bound["n_requests"] == N_WRONG * 3 * 3
        rest = quoted()["iterations"][0]
    assert (rest["most"]["n_requests"], rest["expected"]["n_requests"]) == (0, 0)
    assert rest["n_held"] == n_sent


def test_every_step_of_a_run_stays_within_what_was_quoted(tmp_path: Path) -> None:
    """Where a run stops half way, what was sent and what is quoted never exceed the first bound."""
    with serving(kind="gsm8k") as server:
        before_teacher(tmp_path, server.url, teacher_batch={"attempts": 2, "solves": 2})
        bound = quoted()["iterations"][0]["most"]["n_requests"]
        for budget in (1, 4, 7, 30):
            write_params(
                tmp_path,
                server.url,
                teacher_batch={"attempts": 2, "solves": 2},
                runtime={"max_requests": budget, "teacher_concurrency": 1},
            )
            run_stage(tmp_path, 0)
            first = quoted()["iterations"][0]
            assert first["n_held"] == len(server.received)
            assert first["n_held"] + first["most"]["n_requests"] <= bound
            assert first["expected"]["n_requests"] <= first["most"]["n_requests"]
        assert first["most"]["n_requests"] == 0


def test_answers_in_the_ledger_say_how_long_answers_are(tmp_path: Path) -> None:
    """The mean of this model's answers replaces the guess by the seeds' length."""
    with serving(kind="gsm8k") as server:
        before_teacher(tmp_path, server.url)
        assert any("the ledger has none of this model" in text for text in quoted()["assumptions"])
        CliRunner().invoke(app, ["preview", "--n", "1", "--ask"])
        found = quoted()
    assert any("as this model's in the ledger did" in text for text in found["assumptions"])
    # The server counts 20 tokens for every answer.
    assert found["iterations"][0]["expected"]["n_completion_tokens"] == 2 * 20


def test_the_budget_that_is_left_stands_beside_it(tmp_path: Path) -> None:
    """Limits less what this project has paid; imported answers and free ones are not paid."""
    limits = {"max_requests": 10, "max_tokens": 1000, "max_cost": 9.0, **PRICES}
    before_teacher(tmp_path, runtime=limits)
    ledger = Ledger(tmp_path / ".llm2llm")
    ledger.put_all([row(1), row(2), row(3, backend="symbolic"), row(4)])
    with ledger.writing() as connection:
        insert_imported(connection, [row(4).request_id], "2026-11-23T00:00:00.000+00:00")
    ledger.close()
    found = quoted()
    # What was paid, whatever it would cost now.
    spent = 2 * 2.0
    assert found["left"] == {
        "n_requests": 8,
        "n_tokens": 970,
        "cost": pytest.approx(9.0 - spent),
    }
    assert found["beyond_budget"] == ["runtime.max_tokens"]
    assert "more is expected than `runtime.max_tokens` leaves" in call()


def test_validate_notes_a_limit_that_is_used_up(tmp_path: Path) -> None:
    """What the stage would stop at is no problem of params, but told before."""
    before_teacher(tmp_path, runtime={"max_requests": 2, "max_cost": 9.0, **PRICES})
    for n_rows, n_notes in ((1, 0), (2, 1)):
        ledger = Ledger(tmp_path / ".llm2llm")
        ledger.put_all([row(number) for number in range(1, n_rows + 1)])
        ledger.close()
        notes = json.loads(CliRunner().invoke(app, ["validate", "--no-reach", "--json"]).stdout)
        told = [note for note in notes["notes"] if "`runtime.max_requests`" in note]
        assert len(told) == n_notes
    assert told[0].startswith("nothing is left of")


def test_a_free_teacher_costs_nothing(tmp_path: Path) -> None:
    """The symbolic teacher reads no tokens and has no budget."""
    fresh(tmp_path, teacher_batch={"backend": "symbolic"}, runtime={"max_requests": 1})
    found = quoted()
    assert found["free"]
    assert (found["most"]["cost"], found["most"]["n_prompt_tokens"]) == (0.0, 0)
    assert found["beyond_budget"] == []
    assert "teacher symbolic: costs nothing" in call()


def test_replay_is_said(tmp_path: Path) -> None:
    """With `replay` what is missing will be no cost but the end of the stage."""
    fresh(tmp_path, teacher_batch={"replay": True})
    assert any("replay" in text for text in quoted()["assumptions"])


def test_a_quote_needs_no_torch_no_network_and_no_key(tmp_path: Path) -> None:
    """Neither a heavy package nor the client is imported, and the key is not there to be read."""
    before_teacher(tmp_path)
    openai = _openai(tmp_path, api_key_env="NO_SUCH_KEY")
    write_params(tmp_path, teacher_batch={"openai": openai})
    code = (
        "import socket, sys\n"
        "socket.socket.connect = None\n"
        "from llm2llm.cli.main import app\n"
        "app(['quote'], standalone_mode=False)\n"
        "print(sorted({'torch', 'transformers', 'openai', 'vllm'} & set(sys.modules)))"
    )
    environment = {name: text for name, text in os.environ.items() if name != "NO_SUCH_KEY"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_bound_holds_for_the_longest_problem_that_may_be_solved(tmp_path: Path) -> None:
    """A teacher whose new problems are as long as the task allows stays within the quote."""
    bodies: list[dict[str, Any]] = []

    def script(body: dict[str, Any], number: int) -> Reply:
        bodies.append(body)
        if body["messages"][-1]["content"].startswith("Solve this"):
            return completion("#### 4")
        question = f"{number} " + "\U0001f600\x01" * 990
        answer = {"question": question, "answer": "<<2+2=4>>4\n#### 4"}
        return completion(json.dumps(answer))

    with serving(script) as server:
        before_teacher(tmp_path, server.url, teacher_batch={"solves": 2})
        bound = quoted()["iterations"][0]["most"]
        done = run_stage(tmp_path, 0)
        assert done.returncode == 0, done.stderr
    assert len(bodies) == N_WRONG * 3
    n_bytes = sum(len(text["content"].encode()) for body in bodies for text in body["messages"])
    assert n_bytes <= bound["n_prompt_tokens"]


def test_a_limit_that_means_no_limit_is_quoted(tmp_path: Path) -> None:
    """Texts of 10**12 characters are bounded without one being made."""
    task = fresh(tmp_path, teacher_batch={"solves": 1}) / "llm2llm/tasks/gsm8k.yaml"
    text = task.read_text(encoding="utf-8")
    task.write_text(text.replace("max_input_chars: 2000", f"max_input_chars: {10**12}"))
    assert quoted()["most"]["n_prompt_tokens"] > 10**12


def test_what_contradicts_is_told_with_file_and_key(tmp_path: Path) -> None:
    """Votes without a template and a broken template stop a quote, each under its own file."""
    task = fresh(tmp_path, teacher_batch={"solves": 5}) / "llm2llm/tasks/gsm8k.yaml"
    values = yaml.safe_load(task.read_text(encoding="utf-8"))
    values["teacher"] |= {"solve": None, "system": "{{ nobody }}"}
    task.write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ParamsError) as caught:
        call()
    votes, template = str(caught.value).splitlines()
    assert votes.startswith("params.yaml: `teacher_batch.solves`: found 5, expected 0")
    assert template.startswith("llm2llm/tasks/gsm8k.yaml: `teacher.system`: ")


def test_what_cannot_be_quoted_is_told(tmp_path: Path) -> None:
    """No project, no iterations, no raw file, a newer ledger: each with its own message."""
    with pytest.raises(ParamsError, match=r"params\.yaml: no such file"):
        call()
    fresh(tmp_path, iterations=0)
    with pytest.raises(ParamsError, match="`iterations`: found 0"):
        call()
    write_params(tmp_path, subsample={"train": "none.jsonl"})
    with pytest.raises(DataError, match=r"none\.jsonl: no such file"):
        call()
    write_params(tmp_path, teacher_batch={"backend": "vllm", "solves": 0})
    with pytest.raises(ParamsError, match="vllm"):
        call()
    write_params(tmp_path)
    Ledger(tmp_path / ".llm2llm").close()
    import sqlite3

    other = sqlite3.connect(tmp_path / ".llm2llm/ledger.sqlite")
    other.execute("PRAGMA user_version = 99")
    other.close()
    with pytest.raises(MachineError, match="format 99"):
        call()
