"""A key is sent in a header and stands nowhere else: not in files, not in what is printed."""

from pathlib import Path
from typing import Any

import pytest
from kills import STAGE, stage_project
from project import Project
from teacher_server import Reply, TeacherServer, error, serving

pytestmark = [pytest.mark.pipeline, pytest.mark.timeout(300)]
KEY = "-".join(["sk", "marker", "93e7d1f2"])  # the project holds a copy of this file


def holding(root: Path) -> list[str]:
    """List the files of a project that hold the key, in any folder."""
    return [
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and KEY.encode() in path.read_bytes()
    ]


def keyed_project(folder: Path, server: TeacherServer) -> Project:
    """Make a project whose teacher wants a key."""
    project = stage_project(folder, server, 6)
    project.set_params(teacher_batch={"openai": {"api_key_env": "MY_TEACHER_KEY"}})
    project.extra["MY_TEACHER_KEY"] = KEY
    return project


def test_a_key_is_written_nowhere(tmp_path: Path) -> None:
    """After answers, refusals that repeat the key, and a crash of the program: no trace of it."""

    def script(body: dict[str, Any], number: int) -> Reply:
        if number == 2:
            return error(400, f"the key {KEY} may not ask this")
        if number == 4:
            return error(401, f"Incorrect API key provided: {KEY}")
        return Reply()

    with serving(script, kind="gsm8k") as server:
        project = keyed_project(tmp_path / "p", server)
        stopped = project.repro("--single-item", STAGE, check=False)
        assert "key was refused" in stopped
        assert "***" in stopped
        finished = project.repro("--single-item", STAGE)
        assert server.authorizations == [f"Bearer {KEY}"] * len(server.bodies)
        # A fault of the program: what Python prints of it shows no values.
        broken = project.root / "llm2llm/teacher/openai_body.py"
        text = broken.read_text(encoding="utf-8").replace(
            "    raw = body.decode", "    1 / 0\n    raw = body.decode"
        )
        broken.write_text(text, encoding="utf-8")
        project.set_params(random_seed=2)
        crashed = project.repro("--single-item", STAGE, check=False)
        assert "ZeroDivisionError" in crashed, crashed
    assert all(KEY not in said for said in (stopped, finished, crashed))
    assert holding(project.root) == []
    # The search sees it where it is.
    (project.root / "notes.txt").write_text(KEY, encoding="utf-8")
    assert holding(project.root) == ["notes.txt"]


def test_a_missing_key_is_named_and_nothing_is_sent(tmp_path: Path) -> None:
    """Without the variable the stage stops with a sentence that names it."""
    with serving(kind="gsm8k") as server:
        project = keyed_project(tmp_path / "p", server)
        del project.extra["MY_TEACHER_KEY"]
        said = project.repro("--single-item", STAGE, check=False)
        assert "MY_TEACHER_KEY" in said
        assert server.bodies == []
    assert not (project.root / "data/iterations/0/responses.parquet").exists()
