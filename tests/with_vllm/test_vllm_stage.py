"""The stage teacher-batch with the vllm backend: killed, resumed, and run again without vLLM."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny_llama import PLAIN
from vllm_inputs import vllm_params

from llm2llm.files import read_records, write_records
from llm2llm.ids import example_id
from llm2llm.ledger.database import Ledger
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response

pytestmark = pytest.mark.timeout(1000)
ROOT = Path(__file__).resolve().parents[2]
STAGE = ROOT / "stages/teacher_batch.py"
RESPONSES = "data/iterations/0/responses.parquet"
N_SEEDS = 10
N_PER_GROUP = 4


def make_project(folder: Path, model: Path) -> Path:
    """Write params, ten seeds that were answered wrong, and the set that they are from."""
    params = yaml.safe_load((ROOT / "llm2llm/presets/quickstart.yaml").read_text(encoding="utf-8"))
    params["task"] = str(ROOT / "llm2llm/tasks/trec.yaml")
    section = vllm_params(
        model, chat_template=PLAIN, max_model_len=4096, max_tokens=60, group_size=N_PER_GROUP
    )
    params["teacher_batch"] |= {"backend": "vllm", "attempts": 1, "vllm": section.model_dump()}
    folder.mkdir()
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    seeds = [f"How many herons live in pond {number} ?" for number in range(N_SEEDS)]
    ids = [example_id(text, "NUM") for text in seeds]
    nothing = dict.fromkeys(
        ("iteration", "error", "checkpoint", "request_id", "prompt_sha256", "teacher")
    )
    write_records(
        folder / "data/sets/0/examples.parquet",
        Example,
        [
            Example(name, "seed", name, text, "NUM", **nothing, gate_version=None)
            for name, text in zip(ids, seeds, strict=True)
        ],
    )
    write_records(
        folder / "data/iterations/0/errors.parquet",
        SeedError,
        [SeedError(name, 0, "wrong", "LOC", "LOC", 1, False, 0, True) for name in ids],
    )
    return folder


def run_stage(project: Path, moment: str = "never", group: int = 0, **environment: str):
    """Run teacher-batch for iteration 0 in a process of its own, perhaps killed at a group."""
    spied = [str(Path(__file__).with_name("spied_stage.py")), str(STAGE)]
    arguments = [*spied, str(project / "asked.jsonl"), moment, str(group)]
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def asked_groups(project: Path) -> list[list[str]]:
    """Read which requests vLLM was asked, group by group, over all runs."""
    lines = (project / "asked.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def kept(project: Path, request_ids: list[str]) -> set[str]:
    """Say which of the requests the ledger holds."""
    ledger = Ledger(project / ".llm2llm")
    try:
        return set(ledger.find(request_ids))
    finally:
        ledger.close()


@pytest.fixture(scope="module")
def whole(bare_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the stage without interruption."""
    project = make_project(tmp_path_factory.mktemp("whole") / "p", bare_model)
    done = run_stage(project)
    assert done.returncode == 0, done.stderr[-3000:]
    return project


def test_every_request_is_a_row_and_was_asked_once(whole: Path) -> None:
    """Ten seeds make three groups, and ten rows in the order of the errors."""
    rows = read_records(whole / RESPONSES, Response)
    groups = asked_groups(whole)
    assert [len(group) for group in groups] == [4, 4, 2]
    assert [row.request_id for row in rows] == [name for group in groups for name in group]
    assert {row.status for row in rows} == {"answered"}
    assert {row.teacher for row in rows} == {"tiny-bare"}
    assert len({row.text for row in rows}) == N_SEEDS
    for row in rows:
        assert row.text.startswith('{"text":"')
        assert json.loads(row.request)["teacher"]["backend"] == "vllm"


def test_killed_and_resumed_equals_uninterrupted(
    whole: Path, bare_model: Path, tmp_path: Path
) -> None:
    """Killed between groups no group is asked twice; killed within one that one alone is."""
    project = make_project(tmp_path / "p", bare_model)
    first, second, third = asked_groups(whole)

    assert run_stage(project, "before", 2).returncode == -signal.SIGKILL
    assert asked_groups(project) == [first]
    assert kept(project, first + second + third) == set(first)

    # The second group is this run's first: it is answered, and dies with the process.
    assert run_stage(project, "after", 1).returncode == -signal.SIGKILL
    assert asked_groups(project) == [first, second]
    assert kept(project, first + second + third) == set(first)
    assert not (project / RESPONSES).exists()

    done = run_stage(project)
    assert done.returncode == 0, done.stderr[-3000:]
    assert asked_groups(project) == [first, second, second, third]
    assert (project / RESPONSES).read_bytes() == (whole / RESPONSES).read_bytes()


def test_a_full_ledger_needs_no_vllm(whole: Path, tmp_path: Path) -> None:
    """The stage runs again from the ledger where vLLM cannot be imported, to the same bytes."""
    before = (whole / RESPONSES).read_bytes()
    (whole / RESPONSES).unlink()
    (tmp_path / "vllm.py").write_text("raise ImportError('not here')", encoding="utf-8")
    done = run_stage(whole, PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}")
    assert done.returncode == 0, done.stderr[-3000:]
    assert (whole / RESPONSES).read_bytes() == before
    assert len(asked_groups(whole)) == 3
