"""Free text by the real DVC: judged once, killed and resumed, and by another judge."""

import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from project import Project, kill_group, wait_for
from teacher_server import Reply, completion, serving

from llm2llm.files import read_records
from llm2llm.records.judgments import AnswerJudgment
from llm2llm.records.predictions import Prediction
from llm2llm.teacher.bought import is_listed

pytestmark = [pytest.mark.pipeline, pytest.mark.xdist_group("pipeline"), pytest.mark.timeout(300)]
STAGE, N_BEFORE = ("--single-item", "stages/dvc.yaml:predict@0"), 6


def judge(url: str, model: str) -> dict[str, Any]:
    """Write the section `predict.judge`."""
    openai = {
        "base_url": url,
        "model": model,
        "revision": None,
        "api_key_env": None,
        "temperature": 0.0,
        "top_p": None,
        "max_tokens": 200,
        "random_seed": None,
        "response_format": "json_schema",
        "extra_body": {},
    }
    none = {"openai_batch": None, "vllm": None}
    return {"backend": "openai", "replay": False, "openai": openai, **none}


def of_free_text(project: Project, url: str) -> None:
    """Have the answers of the project's task judged."""
    task = yaml.safe_load((project.root / "llm2llm/tasks/gsm8k.yaml").read_text(encoding="utf-8"))
    task["answer"] = {"kind": "free", "pattern": None, "labels": None}
    (project.root / "task.yaml").write_text(yaml.safe_dump(task), encoding="utf-8")
    project.set_params(task="task.yaml", predict={"judge": judge(url, "one")})


def answered_sets(project: Project) -> set[Path]:
    """Name the stored answers of students."""
    return set((project.root / ".llm2llm/work").glob("*/answers/complete"))


def test_judgments_survive_a_kill_and_cost_no_answer(again: Project) -> None:
    """Killed in the middle, no judgment is paid twice; another judge asks no student anew."""
    go_on, is_right = threading.Event(), '{"reason": "r", "correct": "yes"}'
    known = answered_sets(again)

    def script(_body: dict[str, Any], number: int) -> Reply:
        if number >= N_BEFORE and not go_on.is_set():
            return Reply(hold=go_on, hang_up=True)
        return completion(is_right if number % 3 else is_right.replace("yes", "no"))

    folder = again.root / "data/iterations/0"
    with serving(script) as server:
        of_free_text(again, server.url)
        run = again.start(*STAGE)
        wait_for(lambda: len(server.bodies) > N_BEFORE or run.poll(), "a request that is held")
        assert run.poll() is None, again.log()
        kill_group(run)
        go_on.set()
        assert not (folder / "judgments.parquet").exists()
        said = again.repro(*STAGE)
        server.wait_idle()
        assert "6 of them in the ledger" in said
        assert set(Counter(server.answered).values()) == {1}
        rows = read_records(folder / "judgments.parquet", AnswerJudgment)
        n_asked = len({row.request_id for row in rows})
        assert len(server.answered) == n_asked > N_BEFORE
        lock = again.root / "stages/dvc.lock"
        assert is_listed("predict@0", lock, again.root)
        again.set_params(predict={"judge": judge(server.url, "two")})
        assert not is_listed("predict@0", lock, again.root)
        again.run(sys.executable, "stages/predict.py", "0")
        server.wait_idle()
        assert len(server.answered) == 2 * n_asked
    assert answered_sets(again) == known
    said_of = {(row.split, row.example_id): row.opinion for row in rows}
    assert set(said_of.values()) == {"yes", "no"}
    rows = read_records(folder / "judgments.parquet", AnswerJudgment)
    right = {(row.split, row.example_id) for row in rows if row.opinion == "yes"}
    for each in read_records(folder / "predictions.parquet", Prediction):
        assert (each.verdict == "right") == ((each.split, each.example_id) in right)
