"""What blocks DVC after a crash is found, and mended by deleting one file."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from typer.testing import CliRunner

from llm2llm.cli.doctor import examine
from llm2llm.cli.main import app
from llm2llm.work import unit_of_work

ROOT = Path(__file__).resolve().parent.parent
RWLOCK = Path(".dvc/tmp/rwlock")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder that DVC would take for a project, and go there."""
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / "stages").mkdir()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def blocked(project: Path) -> list[str | None]:
    """List the files that block."""
    return [finding.blocks for finding in examine(project) if finding.blocks]


def holder(pid: int) -> str:
    """Write an rwlock that names one process."""
    return json.dumps({"write": {"/x": {"pid": pid, "cmd": "dvc repro"}}, "read": {}})


def test_a_sound_project_has_no_finding(project: Path) -> None:
    """Whole lock files and an rwlock of a process that is gone block nothing."""
    (project / "dvc.lock").write_text("schema: '2.0'\nstages: {}\n")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (project / RWLOCK).write_text(holder(gone.pid))
    assert blocked(project) == []


@pytest.mark.parametrize("content", ["", "\n", "schema: '2", "schema: '2.0'\n", "- a\n"])
@pytest.mark.parametrize("name", ["dvc.lock", "stages/dvc.lock"])
def test_a_broken_lock_file_is_found_and_deleted(project: Path, name: str, content: str) -> None:
    """An empty dvc.lock, or one cut short, is named and, with --fix, deleted."""
    (project / name).write_text(content)
    assert blocked(project) == [name]
    result = CliRunner().invoke(app, ["doctor", "--fix", "--json"])
    assert json.loads(result.stdout)["fixed"] == [name]
    assert not (project / name).exists()
    assert blocked(project) == []


@pytest.mark.parametrize("name", ["dvc.lock", "stages/dvc.lock"])
def test_conflicts_of_git_are_told_and_never_deleted(project: Path, name: str) -> None:
    """A lock file that git could not merge is no crash's, and only a person can resolve it."""
    text = "schema: '2.0'\nstages:\n<<<<<<< HEAD\n  a: 1\n=======\n  a: 2\n>>>>>>> theirs\n"
    (project / name).write_text(text)
    done = CliRunner().invoke(app, ["doctor", "--fix"])
    assert f"problem: {name}: has conflict markers of git; resolve them" in done.stdout
    assert done.exit_code != 0
    assert (project / name).read_text() == text


@pytest.mark.parametrize("content", [None, "a: [", "- a\n", "teacher_batch: 3\n"])
def test_params_that_cannot_be_read_are_told(project: Path, content: str | None) -> None:
    """Without sound params nothing runs, and `llm2llm validate` is named."""
    params = project / "params.yaml"
    params.unlink() if content is None else params.write_text(content)
    done = CliRunner().invoke(app, ["doctor"])
    assert "problem: params.yaml: " in done.stdout
    assert "`llm2llm validate` names all" in done.stdout
    assert "nothing blocks" not in done.stdout
    assert done.exit_code != 0


@pytest.mark.parametrize("content", ["", "{", "[]", '{"write": {"x": 1}}', '{"read": {"x": [{}]}}'])
def test_a_corrupt_rwlock_is_found(project: Path, content: str) -> None:
    """An rwlock that DVC could not read is named."""
    (project / RWLOCK).write_text(content)
    assert blocked(project) == [str(RWLOCK)]


def test_a_reused_process_number_is_found(project: Path) -> None:
    """A holder that started after the lock was written is not the holder."""
    (project / RWLOCK).write_text(holder(os.getpid()))
    os.utime(project / RWLOCK, (1_000_000_000, 1_000_000_000))
    assert blocked(project) == [str(RWLOCK)]


def test_a_living_holder_is_left_alone(project: Path) -> None:
    """A lock of a process that was there before it was written is not touched."""
    (project / RWLOCK).write_text(holder(os.getpid()))
    assert blocked(project) == []
    CliRunner().invoke(app, ["doctor", "--fix"])
    assert (project / RWLOCK).exists()


def test_a_folder_that_is_no_project_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Outside a project doctor says so and exits non-zero."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["doctor"])
    assert "no DVC project" in result.stdout
    assert result.exit_code != 0


def told(project: Path) -> list[str]:
    """List what doctor says is wrong."""
    found = json.loads(CliRunner().invoke(app, ["doctor", "--json"]).stdout)
    return [finding["what"] for finding in found["findings"]]


def fix() -> list[str]:
    """Have doctor mend what it can, and give what it mended."""
    return json.loads(CliRunner().invoke(app, ["doctor", "--fix", "--json"]).stdout)["fixed"]


def dead() -> int:
    """Give the number of a process that has ended."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    return gone.pid


def test_half_written_outputs_are_deleted(project: Path) -> None:
    """What a killed stage was writing goes; what a living one writes stays, and what was put aside.

    The latter is all there is of an output after a crash between two renames.
    """
    sets = project / "data/sets"
    mine, theirs = dead(), os.getpid()
    for name in (f".3.{mine}.tmp", f".4.{theirs}.tmp", f".5.{mine}.tmp.old"):
        (sets / name).mkdir(parents=True)
    (project / f"data/.x.json.{mine}.tmp").write_text("{")
    assert any("half-written outputs" in what for what in told(project))
    assert sorted(fix()) == sorted([f"data/sets/.3.{mine}.tmp", f"data/.x.json.{mine}.tmp"])
    assert {path.name for path in sets.iterdir()} == {f".4.{theirs}.tmp", f".5.{mine}.tmp.old"}
    assert told(project) == []


def test_half_written_training_states_are_deleted(project: Path) -> None:
    """A state without its mark is deleted; a whole one stays, and those of a running training."""
    work = project / ".llm2llm/work"
    for key, name in (("a", "checkpoint-10"), ("a", "checkpoint-20"), ("b", "checkpoint-30")):
        (work / key / "training" / name).mkdir(parents=True)
        (work / key / "lock").write_text("")
    (work / "a/training/checkpoint-10/complete").write_text("")
    with unit_of_work(project / ".llm2llm", "b", print):
        assert fix() == [str(work / "a/training/checkpoint-20")]
    assert (work / "a/training/checkpoint-10").exists()
    assert (work / "b/training/checkpoint-30").exists()


@pytest.fixture
def orphan(project: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Start a stage that holds its work, without a DVC above it."""
    script = project / "stages/train_iter.py"
    script.write_text(
        "import pathlib, sys\n"
        "from llm2llm.work import unit_of_work\n"
        "with unit_of_work(pathlib.Path('.llm2llm'), 'k', print):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "stages/train_iter.py", "3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.communicate()


def test_an_orphaned_stage_is_named(project: Path, orphan: subprocess.Popen[bytes]) -> None:
    """A stage whose DVC was killed is named with its process, blocks nothing, and is left alone."""
    done = CliRunner().invoke(app, ["doctor", "--fix", "--json"])
    found = json.loads(done.stdout)
    wanted = f"train-iter@3 goes on as process {orphan.pid}, without the DVC"
    assert [note[: len(wanted)] for note in found["notes"]] == [wanted]
    assert (found["findings"], found["fixed"], done.exit_code) == ([], [], 0)
    assert orphan.poll() is None


def test_a_stopped_process_with_the_ledger_is_named(project: Path) -> None:
    """The ledger's locks end with their holder; one that is only stopped keeps them."""
    ledger = project / ".llm2llm/ledger.sqlite"
    ledger.parent.mkdir()
    ledger.write_text("")
    code = (
        "import fcntl, sys\n"
        "stream = open(sys.argv[1], 'r+')\n"
        "fcntl.lockf(stream, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(ledger)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert told(project) == []
        holder.send_signal(signal.SIGSTOP)
        os.waitpid(holder.pid, os.WUNTRACED)
        assert told(project) == [f"the ledger is held by process {holder.pid}, which is stopped"]
        holder.send_signal(signal.SIGCONT)
        holder.communicate()
    assert told(project) == []


def test_a_full_disk_is_told(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With less than a GiB left the next stage would fail."""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5 << 20))
    assert told(project) == ["5 MiB of disk are free, a run needs about 1 GiB"]


def test_a_missing_key_is_told_and_never_shown(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable that the teacher in use names is looked for; others are not."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["teacher_batch"]["openai"]["api_key_env"] = "A_KEY"
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.delenv("A_KEY", raising=False)
    assert told(project) == []
    values["teacher_batch"]["backend"] = "openai"
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    assert any("environment variable A_KEY is not set" in what for what in told(project))
    monkeypatch.setenv("A_KEY", "a-secret-value")
    assert told(project) == []
    assert "a-secret-value" not in CliRunner().invoke(app, ["doctor"]).stdout


def test_a_missing_hub_token_is_a_note(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Public models need none, so that it stops nothing."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["base_model"]["model"] = "someone/a-model"
    (project / "params.yaml").write_text(yaml.safe_dump(values))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(project / "none"))
    result = CliRunner().invoke(app, ["doctor"])
    assert "note: no token of the model hub" in result.stdout
    assert result.exit_code == 0
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    assert "note" not in CliRunner().invoke(app, ["doctor"]).stdout


def test_permissions_are_given_back(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of one's own that cannot be written is made writable, another user's is named."""
    params = project / "params.yaml"
    params.write_text((ROOT / "params.yaml").read_text())
    params.chmod(0o400)

    # The tests may run as root, whom permissions do not stop.
    def access(path: object, _mode: int) -> bool:
        return bool(Path(str(path)).stat().st_mode & 0o200)

    monkeypatch.setattr(os, "access", access)
    assert told(project) == ["no permission to read and write params.yaml"]
    assert fix() == ["params.yaml"]
    assert params.stat().st_mode & 0o600 == 0o600
    params.chmod(0o400)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert told(project) == ["of another user: params.yaml"]
    assert fix() == []
