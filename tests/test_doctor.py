"""What blocks DVC after a crash is found, and mended by deleting one file."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from llm2llm.cli.doctor import examine
from llm2llm.cli.main import app

RWLOCK = Path(".dvc/tmp/rwlock")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder that DVC would take for a project, and go there."""
    (tmp_path / ".dvc/tmp").mkdir(parents=True)
    (tmp_path / "stages").mkdir()
    monkeypatch.chdir(tmp_path)
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
