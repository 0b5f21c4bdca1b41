"""Claims about tasks of free text: what is told before, what a run leaves, how one is begun."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from asking_project import ROOT
from finished_run import make_run
from teacher_server import refusing_url
from test_answer_judging import judge_params, project, set_params, write_task
from test_exporting import export as export_bundle
from test_teacher_openai import openai_params
from typer.testing import CliRunner, Result

from llm2llm.bundle.disclosure import disclosure
from llm2llm.bundle.manifest import read_manifest
from llm2llm.bundle.verifying import verify
from llm2llm.cli.main import app
from llm2llm.cli.validate import reach_problems, teacher_problems
from llm2llm.cli.withdraw import _quote
from llm2llm.exceptions import ParamsError
from llm2llm.files import read_json, write_json, write_records
from llm2llm.generation import Asking, ask_teacher
from llm2llm.ids import sha256_file
from llm2llm.lineage.finished import read_finished
from llm2llm.params.judge import AnswerJudgeParams
from llm2llm.params.loading import load_section
from llm2llm.params.whole import problems
from llm2llm.records.errors import SeedError
from llm2llm.records.judgments import AnswerJudgment
from llm2llm.reporting.dvc_files import as_metrics
from llm2llm.reporting.judged import read_judged
from llm2llm.reporting.judged import told as told_judged
from llm2llm.reporting.metrics import measure
from llm2llm.tasks.sections import TeacherPrompt
from llm2llm.validity import load_criteria

__all__ = ["project"]  # a fixture


def test_validate_says_what_free_text_needs(project: Path) -> None:
    """A judge exactly for free text, no votes on it, one that has a model, within the budget."""

    def told() -> list[str]:
        return problems(project / "params.yaml", project / "stages/pool.yaml")

    judge = judge_params("http://127.0.0.1:1/v1")
    set_params(project, judge)
    assert told() == []
    set_params(project, None)
    [problem] = told()
    assert "`predict.judge`: found null, expected a section" in problem
    assert "docs/student.md" in problem and "`answer.kind: text`" in problem
    set_params(project, judge, teacher_batch={"solves": 3, "backend": "openai"})
    votes = next(problem for problem in told() if "answers that can be compared" in problem)
    assert "`teacher_batch.solves`: found 3, expected 0" in votes
    endless = judge_params("http://u/v1", openai=openai_params(max_tokens=None))
    set_params(project, endless, teacher_batch={"solves": 0}, runtime={"max_tokens": 9})
    assert any("`predict.judge.openai.max_tokens`: found null" in problem for problem in told())
    write_task(project, "text")
    set_params(project, judge, runtime={"max_tokens": None})
    [problem] = told()
    assert "`predict.judge`: found a section, expected null" in problem
    values = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
    values["predict"]["judge"]["backend"] = "symbolic"
    (project / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    [problem] = told()
    assert "`predict.judge.backend`: found 'symbolic', expected: openai" in problem
    del values["predict"]["judge"]
    (project / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    [problem] = told()
    assert problem.endswith("`predict.judge`: missing")


def test_validate_looks_for_the_judges_key_and_endpoint(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A judge's key is missed under its own name, and an endpoint that it shares is asked once."""
    monkeypatch.delenv("MY_JUDGE_KEY", raising=False)
    set_params(
        project, judge_params("http://u/v1", openai=openai_params(api_key_env="MY_JUDGE_KEY"))
    )
    [problem] = teacher_problems()
    assert "`predict.judge.openai.api_key_env`" in problem and "MY_JUDGE_KEY" in problem
    url = refusing_url()
    set_params(project, judge_params(url))
    [_, problem] = reach_problems()
    assert "`predict.judge.openai.base_url`" in problem and "does not answer" in problem
    teacher = openai_params(url).model_dump()
    set_params(project, judge_params(url), teacher_batch={"openai": teacher})
    [problem] = reach_problems()
    assert "`teacher_batch.openai.base_url`" in problem


@pytest.mark.parametrize(("samples", "control"), [(1, True), (4, False)])
def test_quote_bounds_what_grading_costs(project: Path, samples: int, control: bool) -> None:
    """Every row, likeliest answer and draws, of every student: no answer need equal any."""
    prices = {"price_per_million_prompt_tokens": 2.0, "price_per_million_completion_tokens": 10.0}
    set_params(
        project,
        judge_params("http://127.0.0.1:1/v1"),
        predict={"samples": samples, "test_rows": 7},
        train_control={"enabled": control},
        runtime=prices | {"max_requests": 100},
    )
    found = json.loads(CliRunner().invoke(app, ["quote", "--json"]).stdout)
    judge = found["answer_judge"]
    n = (3 + control) * (120 + 7) * (1 if samples == 1 else 1 + samples)
    assert judge["most"]["n_requests"] == judge["expected"]["n_requests"] == n
    assert judge["most"]["n_completion_tokens"] == n * 200
    for which in ("most", "expected"):
        assert judge[which]["cost"] == pytest.approx(
            judge[which]["n_prompt_tokens"] * 2e-6 + judge[which]["n_completion_tokens"] * 1e-5
        )
        assert found[which]["n_requests"] == n + sum(
            each[which]["n_requests"] for each in found["iterations"]
        )
    assert found["beyond_budget"] == ["runtime.max_requests"]
    assert "judge of answers  -" in CliRunner().invoke(app, ["quote"]).stdout
    shown = json.loads(CliRunner().invoke(app, ["preview", "--n", "1", "--json"]).stdout)
    assert shown["judging"]["most"] == judge["most"]
    assert "stands the student's wrong answer" in shown["judging"]["messages"][0]["content"]
    assert not (project / ".llm2llm").exists()


def test_quote_bounds_grading_where_no_teacher_is_asked(project: Path) -> None:
    """A run without augmentations has its first student and the control judged."""

    def quoted(judge: AnswerJudgeParams | None, kind: str) -> Result:
        write_task(project, kind)
        set_params(project, judge, predict={"test_rows": 7})
        values = yaml.safe_load((project / "params.yaml").read_text(encoding="utf-8"))
        (project / "params.yaml").write_text(yaml.safe_dump(values | {"iterations": 0}))
        return CliRunner().invoke(app, ["quote", "--json"])

    found = json.loads(quoted(judge_params("http://127.0.0.1:1/v1"), "free").stdout)
    assert found["iterations"] == []
    assert found["most"] == found["answer_judge"]["most"]
    assert found["most"]["n_requests"] == 2 * (120 + 7)
    refused = quoted(None, "text")
    assert refused.exit_code and "no teacher is ever asked" in str(refused.exception)


def test_withdrawing_quotes_what_is_graded_again(project: Path) -> None:
    """A last set that changes asks no teacher, but makes a student whose answers are judged."""
    found: Any = SimpleNamespace(first_set=2)
    set_params(project, judge_params("http://127.0.0.1:1/v1"))
    quoted = _quote(found)
    assert quoted is not None and quoted.answer_judge is not None
    assert quoted.answer_judge.most.n_requests > 0
    write_task(project, "text")
    set_params(project, None)
    assert _quote(found) is None


def test_free_texts_have_no_votes(project: Path) -> None:
    """The stage that asks stops before a request is paid, as validate does."""
    prompt = load_section(project / "task.yaml", "teacher", TeacherPrompt)
    error = SeedError("ex-a", 0, "wrong", "Wind.", "Wind.", 1, False, 0, True)
    how = Asking(prompt, load_criteria(project / "task.yaml"), 1, 3, 7, 0)
    with pytest.raises(ParamsError, match="answers that can be compared"):
        list(ask_teacher([error], [], how, pytest.fail, print))


# ----------------------------------------------------------------------------- what a run leaves


def judged_run(root: Path, reason: str) -> list[AnswerJudgment]:
    """Make a finished run in which a judge was asked about some answers, as history lists them."""
    made = make_run(root)
    rows = [
        AnswerJudgment(split, name, draw, "rq-1", opinion, reason, "t", 1, 1)
        for split, name, draw, opinion in [
            ("seed", made.seeds[0], None, "no"),
            ("seed", made.seeds[0], 1, "yes"),
            ("test", made.tests[0], None, "yes"),
            ("test", made.tests[1], None, "unclear"),
        ]
    ]
    for folder in ("iterations/0", "iterations/2", "control"):
        own = rows[1:] if folder == "iterations/2" else rows
        write_records(root / f"data/{folder}/judgments.parquet", AnswerJudgment, own)
    name = "data/iterations/0/judgments.parquet"
    for number in (1, 2):
        history = read_json(root / f"data/sets/{number}/history.json")
        history["iterations"][0]["files"][name] = sha256_file(root / name)
        write_json(root / f"data/sets/{number}/history.json", history)
    return rows


def test_the_report_counts_opinions(tmp_path: Path) -> None:
    """By student and split, of likeliest answers; a run without a judge has no such key."""
    judged_run(tmp_path / "judged", "r")
    finished = read_finished(tmp_path / "judged", 2)
    found = read_judged(tmp_path / "judged", finished)
    assert found is not None
    metrics: Any = as_metrics(measure(finished), judged=found)
    none = dict.fromkeys(("yes", "no", "unclear", "failed"), 0)
    for student in ("first", "final", "control"):
        assert metrics[student]["test_judged"] == none | {"yes": 1, "unclear": 1}
        assert metrics[student]["seed_judged"] == none | {"no": int(student != "final")}
    assert told_judged(found) == (
        "judge: was asked about 0 seed answers of the last student (none) and 2 test answers of the"
        " last student (1 yes, 1 unclear)"
    )
    make_run(tmp_path / "compared")
    assert read_judged(tmp_path / "compared", read_finished(tmp_path / "compared", 2)) is None


def test_status_says_that_its_sums_lack_the_judge(project: Path) -> None:
    """Tokens and cost are the teacher's; with a judge the ledger's own sums are named."""
    said = {}
    for judge in (judge_params("http://127.0.0.1:1/v1"), None):
        set_params(project, judge)
        said[judge is None] = CliRunner().invoke(app, ["status"]).stdout
        found = json.loads(CliRunner().invoke(app, ["status", "--json"]).stdout)
        assert found["n_judges"] == (judge is not None)
    assert "what is asked of judges is in none of these" in said[False]
    assert "judges" not in said[True]


def test_explain_gives_the_judges_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a seed of every student, for an example of the one whose answer it is written for."""
    [first, *_] = judged_run(tmp_path, "it names \x1b[1m another part")
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["explain", first.example_id]).stdout
    assert "the judge, of student 0: no: it names \\x1b[1m another part" in shown
    found = json.loads(CliRunner().invoke(app, ["explain", first.example_id, "--json"]).stdout)
    assert [(each["iteration"], each["opinion"]) for each in found["judged"]] == [(0, "no")]


def test_no_judgment_is_in_a_bundle(tmp_path: Path) -> None:
    """What was asked about test items, and what was said of them, is not handed on; who was, is."""
    judged_run(tmp_path, "a reason that quotes")
    values = yaml.safe_load((tmp_path / "params.yaml").read_text(encoding="utf-8"))
    values["predict"] = {"judge": judge_params("http://judge.example/v1", replay=True).model_dump()}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    task = yaml.safe_load((tmp_path / "task.yaml").read_text(encoding="utf-8"))
    task["answer"] = {"kind": "free", "pattern": None, "labels": None}
    (tmp_path / "task.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    done = export_bundle(tmp_path)
    assert done.returncode == 0, done.stderr
    bundle = tmp_path / "data/export"
    # As a replayed run has the same bytes, and whoever hands it on is told of the address.
    assert "replay" not in read_json(bundle / "params.json")["predict"]["judge"]
    card = (bundle / "README.md").read_text(encoding="utf-8")
    assert "unless a judge, a model (`test-teacher`), called it right" in card
    shown = disclosure(bundle, read_manifest(bundle))
    assert shown.judge_addresses == ["http://judge.example/v1"] and verify(bundle).passed
    files = [path for path in (tmp_path / "data/export").rglob("*") if path.is_file()]
    assert files and not any("judgment" in path.name for path in files)
    for path in files:
        assert b"a reason that quotes" not in path.read_bytes(), path
        assert path.suffix != ".parquet" or "opinion" not in pq.read_schema(path).names


@pytest.mark.parametrize("rows", [0, 1])
def test_history_vouches_for_judgments(tmp_path: Path, rows: int) -> None:
    """The merge stage lists judgments.parquet where answers were judged, and only there."""
    made = make_run(tmp_path)
    row = AnswerJudgment("seed", made.seeds[0], None, "rq-1", "no", "r", None, None, None)
    path = tmp_path / "data/iterations/0/judgments.parquet"
    write_records(path, AnswerJudgment, [row] * rows)
    stage = str(ROOT / "stages/merge.py")
    subprocess.run([sys.executable, stage, "0"], cwd=tmp_path, check=True, capture_output=True)
    [entry] = read_json(tmp_path / "data/sets/1/history.json")["iterations"]
    assert ("data/iterations/0/judgments.parquet" in entry["files"]) == bool(rows)


def test_init_takes_the_teacher_as_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a teacher that has a model the project holds; one that has none is refused."""
    monkeypatch.chdir(tmp_path)
    lines = [f"why number {k} stops,because sensor {k} cuts the power" for k in range(40)]
    Path("d.csv").write_text("\n".join(["question,answer", *lines]) + "\n", encoding="utf-8")

    def init(folder: str, teacher: str) -> str:
        command = ["init", folder, "--data", "d.csv", "--kind", "free", "--teacher", teacher]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        monkeypatch.chdir(tmp_path / folder)
        found = "\n".join(problems(Path("params.yaml"), Path("stages/pool.yaml")))
        monkeypatch.chdir(tmp_path)
        return f"{done.stdout}{found}"

    assert "`predict.judge`: found null" not in init("with", "ollama")
    params = yaml.safe_load(Path("with/params.yaml").read_text(encoding="utf-8"))
    teaching, judge = params["teacher_batch"], params["predict"]["judge"]
    assert judge["openai"] == teaching["openai"] | {"temperature": 0.0}
    task = yaml.safe_load(Path("with/task.yaml").read_text(encoding="utf-8"))
    assert (task["answer"]["kind"], task["teacher"]["solve"]) == ("free", None)
    assert task["teacher"]["response"]["target"] == "answer"
    command = ["init", "without", "--data", "d.csv", "--kind", "free", "--teacher", "symbolic"]
    refused = CliRunner().invoke(app, command).exception
    assert "--teacher: found symbolic, which rewrites worked arithmetic" in str(refused)
