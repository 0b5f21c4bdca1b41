"""`llm2llm status`: what dvc.lock says against what lies there, cost, and what runs now."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from finished_run import Made, make_run
from typer.testing import CliRunner

from llm2llm.cli.main import app
from llm2llm.exceptions import TeacherError
from llm2llm.lineage.locked import Locked
from llm2llm.lineage.progress import FREE, status
from llm2llm.lineage.running import running
from llm2llm.stage import run_iteration
from llm2llm.teacher.backends import FREE as FREE_BACKENDS

STAGE = "predict@0"


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Make a run, and stand in its folder."""
    made = make_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return made


def out(root: Path, name: str) -> dict[str, Any]:
    """Describe a file or folder as dvc.lock does."""
    path = root / name
    if path.is_file():
        data = path.read_bytes()
        return {"path": name, "hash": "md5", "md5": md5(data), "size": len(data)}
    files = sorted(p for p in path.rglob("*") if p.is_file())
    rows = [{"md5": md5(p.read_bytes()), "relpath": p.relative_to(path).as_posix()} for p in files]
    size = sum(p.stat().st_size for p in files)
    listing = json.dumps(rows, sort_keys=True).encode()
    return {"path": name, "md5": md5(listing) + ".dir", "size": size, "nfiles": len(files)}


def md5(data: bytes) -> str:
    """Hash as DVC does."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def lock(root: Path, **changes: Any) -> None:
    """Write lock files that record the first student's answers as they are, less the changes."""
    (root / "stages").mkdir(exist_ok=True)
    (root / "code.py").write_text("one\n")
    entry = {
        "cmd": "x",
        "deps": [out(root, "code.py"), out(root, "data/iterations/0/student")],
        "params": {"params.yaml": {"random_seed": 7, "report": {"n_examples_shown": 4}}},
        "outs": [out(root, "data/iterations/0/predictions.parquet")],
        **changes,
    }
    values = yaml.safe_load((root / "params.yaml").read_text())
    entry["params"]["params.yaml"]["report"] = values["report"]
    whole = {"schema": "2.0", "stages": {STAGE: entry}}
    (root / "stages/dvc.lock").write_text(yaml.safe_dump(whole))


def test_what_is_as_recorded_is_done(made: Made) -> None:
    """Files, folders and params that hash as dvc.lock says have not changed."""
    lock(made.root)
    assert Locked(made.root).changed(STAGE) is None
    found = status(made.root, made.root)
    assert found.compared
    assert {step.state for step in found.iterations[0].steps} == {"done"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("code.py", "two\n"),
        ("data/iterations/0/student/manifest.json", "{}"),
        ("data/iterations/0/student/more.json", "{}"),
        ("data/iterations/0/predictions.parquet", None),
    ],
)
def test_what_is_not_as_recorded_is_stale_and_named(
    made: Made, path: str, text: str | None
) -> None:
    """Another byte of code, input or output makes the stage stale, and all that follows."""
    lock(made.root)
    file = made.root / path
    file.write_bytes(file.read_bytes() + b"x" if text is None else text.encode())
    changed = Locked(made.root).changed(STAGE)
    assert changed is not None
    assert path.startswith(changed)


def test_a_changed_param_makes_what_follows_stale(made: Made) -> None:
    """The status names the param and the stage; what follows is stale without a reason."""
    lock(made.root)
    path = made.root / "params.yaml"
    path.write_text(path.read_text().replace("random_seed: 7", "random_seed: 8"))
    found = status(made.root, made.root)
    steps = found.iterations[0].steps
    assert [step.state for step in steps] == ["done", *["stale"] * 5]
    assert steps[1].changed == "params.yaml: random_seed"
    assert steps[2].changed is None
    assert found.iterations[0].n_test_right is None
    text = CliRunner().invoke(app, ["status"]).stdout
    assert "stale: predict@0, as params.yaml: random_seed is not as it was" in text


def test_a_param_that_a_stage_watches_now_makes_it_stale(made: Made) -> None:
    """DVC would run it again, as its lock file records no value of that section."""
    lock(made.root)
    stages = {"stages": {"predict": {"foreach": "${pool}", "do": {"params": ["predict"]}}}}
    (made.root / "stages/dvc.yaml").write_text(yaml.safe_dump(stages))
    assert Locked(made.root).changed(STAGE) == "params.yaml: predict"


@pytest.mark.parametrize("text", ["", "schema: '2", "- a\n", "stages: 3\n"])
def test_a_broken_lock_file_records_nothing(made: Made, text: str) -> None:
    """Then files alone tell, as before DVC ran; doctor says what is wrong with the lock."""
    (made.root / "dvc.lock").write_text(text)
    found = status(made.root, made.root)
    assert not found.compared
    assert found.iterations[0].steps[0].state == "done"
    assert found.next_command == "llm2llm doctor"


def test_a_conflict_of_git_leads_to_doctor(made: Made) -> None:
    """DVC would stop at it, although the other lock file is sound."""
    lock(made.root)
    assert status(made.root, made.root).next_command == "dvc --wait-for-lock repro"
    (made.root / "dvc.lock").write_text("stages:\n<<<<<<< HEAD\n")
    assert status(made.root, made.root).next_command == "llm2llm doctor"


def test_cost_is_told_where_prices_are_known(made: Made) -> None:
    """Tokens are priced by iteration; a paid teacher without prices costs an unknown amount."""
    assert FREE == FREE_BACKENDS
    found = status(made.root, made.root)
    assert [each.n_prompt_tokens for each in found.iterations] == [300, 200, None]
    assert (found.cost, found.iterations[0].cost) == (0.0, 0.0)
    path = made.root / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["teacher_batch"]["backend"] = "openai"
    path.write_text(yaml.safe_dump(values))
    assert status(made.root, made.root).cost is None
    prices = ("price_per_million_prompt_tokens", "price_per_million_completion_tokens")
    values["runtime"] = dict(zip(prices, (10.0, 100.0), strict=True))
    path.write_text(yaml.safe_dump(values))
    found = status(made.root, made.root)
    assert found.iterations[0].cost == pytest.approx((300 * 10 + 60 * 100) / 1e6)
    assert found.cost == pytest.approx((500 * 10 + 100 * 100) / 1e6)


def test_a_training_tells_its_updates(made: Made) -> None:
    """The stage is read from its command, the updates from its newest whole state."""
    store = made.root / ".llm2llm"
    script = made.root / "stages/train_iter.py"
    script.parent.mkdir()
    script.write_text(
        "import pathlib, sys\n"
        "from llm2llm.work import unit_of_work\n"
        "with unit_of_work(pathlib.Path('.llm2llm'), 'k', print) as folder:\n"
        "    for step in (20, 100):\n"
        "        state = folder / f'training/checkpoint-{step}/trainer_state.json'\n"
        "        state.parent.mkdir(parents=True)\n"
        '        state.write_text(\'{"global_step": %d, "max_steps": 300}\' % step)\n'
        "    (folder / 'training/checkpoint-200').mkdir()\n"
        "    (folder / 'training/checkpoint-200/trainer_state.json').write_text('{')\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "stages/train_iter.py", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        (found,) = running(made.root, store)
        text = CliRunner().invoke(app, ["status"]).stdout
        process.communicate()
    assert (found.stage, found.process) == ("train-iter@1", process.pid)
    assert (found.done, found.total) == (100, 300)
    assert f"at work now: train-iter@1, process {process.pid}, since 2" in text
    assert "100 of 300 updates kept" in text


@pytest.mark.parametrize(
    ("path", "stage"),
    [
        ("data/sets/3", "merge@2"),
        ("data/sets/0", "subsample"),
        ("data/iterations/2/errors.parquet", "diff-errors@2"),
        ("data/export.tar.gz", "export"),
        ("elsewhere", None),
    ],
)
def test_a_stage_without_a_lock_of_its_own_is_known_by_its_output(
    made: Made, path: str, stage: str | None
) -> None:
    """DVC's own lock names what is being written, while that process lives."""
    tmp = made.root / ".dvc/tmp"
    tmp.mkdir(parents=True)
    held = {str(made.root / path): {"pid": os.getpid(), "cmd": "dvc repro"}}
    (tmp / "rwlock").write_text(json.dumps({"write": held, "read": {}}))
    assert [each.stage for each in running(made.root, made.root)] == ([stage] if stage else [])
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    held[str(made.root / path)]["pid"] = gone.pid
    (tmp / "rwlock").write_text(json.dumps({"write": held}))
    assert running(made.root, made.root) == []


def test_watching_ends_with_the_run(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows the run again until it is finished."""
    shown = []
    real = status(made.root, made.root)

    def later(*_: object) -> object:
        from dataclasses import replace

        shown.append(1)
        return replace(real, finished=len(shown) == 3)

    monkeypatch.setattr("llm2llm.cli.status.status_of", later)
    monkeypatch.setattr("time.sleep", lambda _: None)
    text = CliRunner().invoke(app, ["status", "--watch"]).stdout
    assert len(shown) == 3
    assert text.count("before the loop") == 3


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("llm2llm st", {"status", "student"}),
        ("llm2llm wi", {"withdraw"}),
        ("llm2llm withdraw --te", {"--teacher", "--test-item"}),
        ("llm2llm ledger sa", {"salvage"}),
    ],
)
def test_a_shell_completes_commands_and_options(words: str, wanted: set[str]) -> None:
    """The completion that `llm2llm --install-completion` sets up answers with the names."""
    code = "import sys; sys.argv = ['llm2llm']; from llm2llm.cli.main import main; main()"
    environment = {
        **os.environ,
        "_LLM2LLM_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert set(done.stdout.split()) == wanted


def test_one_command_imports_no_other() -> None:
    """A question does not wait for what other commands import, nor does a mistyped one."""
    code = (
        "import sys; from llm2llm.cli.main import app\n"
        "try: app(['status', '--help'])\n"
        "except SystemExit: pass\n"
        "print([n for n in sys.modules if n in ('polars', 'pyarrow.dataset', 'llm2llm.quoting')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_why_the_next_stage_stopped_is_shown(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage's last failure stands in status until it, or another attempt at it, ends well."""
    (made.root / ".llm2llm").mkdir(exist_ok=True)
    answers = made.root / "data/iterations/1/responses.parquet"
    kept = answers.read_bytes()
    answers.unlink()
    for stage, message in (("teacher_batch", "budget reached"), ("predict", "no model")):

        def fail(_iteration: int, message: str = message) -> None:
            raise TeacherError(message)

        monkeypatch.setattr(sys, "argv", [f"stages/{stage}.py", "1"])
        with pytest.raises(SystemExit):
            run_iteration(fail)
        shown = CliRunner().invoke(app, ["status"]).stdout
        assert ("last stop: teacher-batch@1: budget reached" in shown) == (stage != "predict")
        run_iteration(lambda _iteration: None)
        assert "last stop" not in CliRunner().invoke(app, ["status"]).stdout
    answers.write_bytes(kept)
    monkeypatch.setattr(sys, "argv", ["stages/teacher_batch.py", "1"])
    with pytest.raises(SystemExit):
        run_iteration(fail)
    assert "last stop" not in CliRunner().invoke(app, ["status"]).stdout
