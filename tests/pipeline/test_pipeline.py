"""The whole loop by the real DVC: repeated, changed, killed and resumed."""

import json
import os
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from project import Project, kill_group, small, wait_for
from server import Server

from llm2llm.files import read_records
from llm2llm.ids import sha256_file
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response

pytestmark = [pytest.mark.pipeline, pytest.mark.xdist_group("pipeline"), pytest.mark.timeout(900)]


def ran(output: str) -> list[str]:
    """List the stages whose command was run."""
    return [
        line.split("'")[1].removeprefix("stages/dvc.yaml:")
        for line in output.splitlines()
        if line.startswith("Running stage")
    ]


def test_a_run_ends_with_set_report_and_export(finished: Project) -> None:
    """Every set grows by what was kept, and report and export are there."""
    sets = [
        read_records(finished.root / f"data/sets/{i}/examples.parquet", Example) for i in (0, 1)
    ]
    assert len(sets[0]) == 10
    assert sets[1][:10] == sets[0]
    assert len(sets[1]) > 10, "the teacher's examples were kept"
    for example in sets[1][10:]:
        assert example.seed_id in {seed.example_id for seed in sets[0]}
        assert None not in (example.request_id, example.teacher, example.checkpoint, example.error)
    history = json.loads((finished.root / "data/sets/1/history.json").read_text())
    for name, sha256 in history["iterations"][0]["files"].items():
        assert sha256_file(finished.root / name) == sha256
    metrics = json.loads((finished.root / "data/report/metrics.json").read_text())
    assert metrics["final"]["n_examples"] == len(sets[1])
    exported = finished.root / "data/export/chat.jsonl"
    assert len(exported.read_text(encoding="utf-8").splitlines()) == len(sets[1])


def test_running_again_does_nothing(finished: Project) -> None:
    """A second `dvc repro` runs no stage."""
    output = finished.repro()
    assert ran(output) == []
    assert "Data and pipelines are up to date" in output


def test_an_example_is_traced_back(finished: Project) -> None:
    """`explain` and `blame` tell of the same seed, request and example."""
    example = read_records(finished.root / "data/sets/1/examples.parquet", Example)[-1]
    explained = json.dumps(finished.json("explain", example.example_id))
    for part in (example.seed_id, example.request_id, example.checkpoint):
        assert part is not None
        assert part in explained
    assert example.example_id in json.dumps(finished.json("blame", example.seed_id))
    assert finished.json("status")


def test_killed_anywhere_a_run_ends_with_the_same_bytes(
    finished: Project, tmp_path: Path, server: Server
) -> None:
    """SIGKILL in training, prediction and asking: same files, no answered request sent again.

    Of the whole group and of dvc alone, whose stage then goes on as an orphan.
    """
    before = len(server.asked())
    project = small(tmp_path / "p", server)

    def started(stage: str, times: int) -> bool:
        return project.log().count(f"Running stage '{stage}'") >= times

    def doctor_and_start() -> subprocess.Popen[bytes]:
        project.run("llm2llm", "doctor", "--fix")
        return project.start()

    loop = "stages/dvc.yaml:"
    # The whole group, in the middle of training: after its first checkpoint.
    run = project.start()
    wait_for(lambda: list(project.root.glob(".llm2llm/work/*/**/checkpoint-1*")), "a checkpoint")
    kill_group(run)
    # dvc alone, in predict: its stage goes on as an orphan.
    run = doctor_and_start()
    wait_for(lambda: started(f"{loop}predict@0", 1), "predict")
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    # The whole group while the teacher is asked, after the first answers.
    run = doctor_and_start()
    wait_for(lambda: len(server.asked()) > before + 2, "three answers")
    kill_group(run)
    # dvc alone while the teacher is asked: the orphan and the next run must share the work.
    n_before = len(server.asked())
    run = doctor_and_start()
    wait_for(lambda: started(f"{loop}teacher-batch@0", 2), "asking again")
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    # The whole group, in the second prediction.
    run = doctor_and_start()
    wait_for(lambda: started(f"{loop}predict@1", 1), "the second prediction")
    kill_group(run)
    assert len(server.asked()) > n_before
    # dvc alone, in the second prediction.
    run = doctor_and_start()
    wait_for(lambda: started(f"{loop}predict@1", 2), "the second prediction again")
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    project.run("llm2llm", "doctor", "--fix")
    project.repro()

    assert project.results() == finished.results()
    asked = Counter(server.asked()[before:])
    # At most the two in flight at the kill may have been answered without reaching us.
    doubled = {body: n for body, n in asked.items() if n > 1}
    assert sum(doubled.values()) - len(doubled) <= 2
    answers = project.root / "data/iterations/0/responses.parquet"
    rows = read_records(answers, Response)
    assert len(asked) == len(rows) >= 10


def test_ctrl_c_stops_at_once_and_the_run_goes_on_later(
    finished: Project, tmp_path: Path, server: Server
) -> None:
    """SIGINT ends a training with a message and a non-zero exit; nothing half-written stays."""
    project = small(tmp_path / "p", server)
    cache = finished.root / ".dvc/cache"
    shutil.copytree(cache, project.root / ".dvc/cache")
    project.set_params(train_iter={"epochs": 50})
    run = project.start()
    wait_for(lambda: list(project.root.glob(".llm2llm/work/*/**/checkpoint-2*")), "a checkpoint")
    os.killpg(run.pid, signal.SIGINT)
    assert run.wait(60) != 0
    assert "interrupted" in project.log()
    assert not (project.root / "data/iterations/0/student").exists()
    assert not list((project.root / "data").rglob("*.tmp"))


def test_iterations_go_down_and_up_without_new_work(again: Project, server: Server) -> None:
    """0 and then 1 again trains no student of the loop and asks nothing."""
    asked = len(server.asked())
    again.set_params(iterations=0)
    down = ran(again.repro())
    assert "report" in down
    assert not [name for name in down if "@" in name]
    again.set_params(iterations=1)
    assert [name for name in ran(again.repro()) if name != "plan"] == []
    assert len(server.asked()) == asked


def test_beyond_the_pool_is_told_in_one_sentence(again: Project) -> None:
    """More iterations than the pool holds fail at once, naming the command that helps."""
    again.set_params(iterations=17)
    output = again.repro(check=False)
    assert ran(output) == ["plan"]
    assert "`llm2llm pool 17` extends it" in output
    again.run("llm2llm", "pool", "17")
    assert "17" not in again.run("llm2llm", "validate", "--no-reach", check=False).stdout


def test_the_teachers_params_concern_the_teacher_only(again: Project) -> None:
    """A teacher's param re-runs nothing before teacher-batch; flipping it back runs nothing.

    The bundle hands the params on, so it is exported again.
    """
    again.set_params(teacher_batch={"attempts": 2})
    first = ran(again.repro())
    assert [name for name in first if name != "plan"] == ["teacher-batch@0", "export"]
    again.set_params(teacher_batch={"attempts": 3})
    assert ran(again.repro()) == []


def test_replay_gives_the_same_bytes_and_asks_nobody(again: Project, server: Server) -> None:
    """With `replay`, and no cache to take outs from, all comes from the ledger."""
    before, n_received = again.results(), len(server.received())
    for name in (
        "data/iterations/0/responses.parquet",
        "data/iterations/0/screened",
        "data/sets/1",
    ):
        path = again.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    again.set_params(teacher_batch={"replay": True})
    assert "stages/dvc.yaml:teacher-batch@0" in again.repro("--no-run-cache")
    assert again.results() == before
    assert len(server.received()) == n_received
    (again.root / ".llm2llm/ledger.sqlite").unlink()
    again.set_params(teacher_batch={"attempts": 2})
    output = again.repro(check=False)
    assert "replay: the ledger lacks" in output
    assert "ledger import" in output
    assert len(server.received()) == n_received


def test_runtime_and_report_train_nothing(again: Project) -> None:
    """A change in `runtime` runs nothing; one in `report` runs plan and report."""
    again.set_params(runtime={"teacher_concurrency": 1, "checkpoint_every_steps": 7})
    assert ran(again.repro()) == []
    again.set_params(report={"n_examples_shown": 3})
    assert ran(again.repro()) == ["plan", "report"]


def test_nothing_to_ask_passes_through(again: Project) -> None:
    """With every seed at its cap the later iterations add nothing and train nothing anew."""
    again.set_params(iterations=3, diff_errors={"max_examples_per_seed": 1})
    # One example per seed was kept in iteration 0 at most, so what is capped is not asked again.
    again.repro()
    sets = [read_records(again.root / f"data/sets/{i}/examples.parquet", Example) for i in range(4)]
    per_seed = Counter(e.seed_id for e in sets[3] if e.origin == "augmented")
    assert max(per_seed.values()) == 1
    assert sets[1] == sets[2] == sets[3], "all seeds had their one example after iteration 0"
    students = [again.root / f"data/iterations/{i}/student" for i in (1, 2, 3)]
    files = [[p.read_bytes() for p in sorted(folder.iterdir())] for folder in students]
    assert files[0] == files[1] == files[2]


def test_bad_params_are_told_all_at_once_before_any_work(again: Project) -> None:
    """Unknown keys, wrong types and an unknown task are listed together by plan and validate."""
    before = again.results()
    again.set_params(task="llm2llm/tasks/none.yaml", random_seed="one", foo=1)
    again.set_params(train_iter={"epochs": "many", "learnin_rate": 1.0}, subsample={"rate": 2.0})
    told = again.run("llm2llm", "validate", "--no-reach", check=False)
    assert told.returncode != 0
    for part in ("none.yaml", "random_seed", "foo", "epochs", "learnin_rate", "subsample.rate"):
        assert part in told.stdout, part
    output = again.repro(check=False)
    assert "Traceback" not in output
    assert again.results() == before


def test_a_bad_raw_file_stops_subsample_and_writes_nothing(again: Project) -> None:
    """A broken line is named by `dvc repro`; the split of before is not half replaced."""
    raw = again.root / "data/raw/quickstart/train_small.jsonl"
    raw.write_text(raw.read_text(encoding="utf-8") + '{"question": "How', encoding="utf-8")
    output = again.repro(check=False)
    assert "train_small.jsonl:61: not JSON" in output
    assert "Traceback" not in output
    assert not list((again.root / "data").rglob("*.tmp"))
    told = again.run("llm2llm", "validate", "--no-reach", check=False).stdout
    assert "train_small.jsonl:61" in told


def test_paid_answers_that_are_nowhere_are_not_paid_again(again: Project) -> None:
    """With committed lock files and neither cache nor ledger teacher-batch stops: `dvc pull`."""
    for name in (".llm2llm", ".dvc/cache", "data/iterations/0/responses.parquet"):
        path = again.root / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    output = again.repro(check=False)
    assert "dvc pull" in output
    assert not (again.root / "data/iterations/0/responses.parquet").exists()
