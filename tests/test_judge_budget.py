"""Claims about what the judge spends: two processes at the same work pay once."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import yaml
from asking_project import ROOT
from teacher_server import Reply, completion_body, serving
from test_judging import GREY, N_PLANTED, NO, OTHER, YES, judge_params, project, texts_of

from llm2llm.files import read_json

__all__ = ["project"]  # a fixture

# The stage as DVC calls it, but for the encoder.
STAGE = f"""
import runpy, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
import llm2llm.leakage.encoder
from test_leakage_embedding import letters
llm2llm.leakage.encoder.load_encoder = lambda *_: (letters, "abc")
sys.argv = ["dedupe_against_test.py", "0"]
runpy.run_path({str(ROOT / "stages/dedupe_against_test.py")!r}, run_name="__main__")
"""


def start(root: Path) -> subprocess.Popen[str]:
    """Start the stage as a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "DVC_ROOT"}
    return subprocess.Popen(
        [sys.executable, "-c", STAGE], cwd=root, env=environment, stderr=subprocess.PIPE, text=True
    )


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """Read what the process says up to a line that has the text, or to its end."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if text in line:
            break
    return said


def test_an_orphan_and_its_successor_pay_once(project: Path) -> None:
    """A second process at the same work waits, then finds all answers: one budget is enough."""
    asked, go_on = threading.Event(), threading.Event()

    def script(body: dict[str, Any], _number: int) -> Reply:
        asked.set()
        is_near = texts_of(body)["candidate"] in (GREY, OTHER)
        return Reply(body=completion_body(NO if is_near else YES), hold=go_on)

    with serving(script) as server:
        values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
        values["dedupe_against_test"] = judge_params(server.url).model_dump()
        values["runtime"]["max_requests"] = N_PLANTED + 2
        Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        orphan = start(project)
        try:
            assert asked.wait(60)
            successor = start(project)
            try:
                said = read_until(successor, "waiting: the same work is under way")
                assert f'{{"pid": {orphan.pid}}}' in said
                go_on.set()
                said = orphan.communicate()[1]
                assert orphan.returncode == 0, said
                said = successor.communicate()[1]
                assert successor.returncode == 0, said
            finally:
                go_on.set()
                successor.kill()
                successor.wait()
        finally:
            orphan.kill()
            orphan.wait()
        assert len(server.bodies) == N_PLANTED + 2
    told = read_json(project / "data/iterations/0/screened/certificate.json")["judge"]
    assert (told["requests"], told["answers"]["no"]) == (N_PLANTED + 2, 2)


def test_without_a_judge_nothing_is_locked(project: Path) -> None:
    """A stage that pays for nothing leaves no folder of work behind."""
    values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    given = judge_params("http://127.0.0.1:1/v1").model_dump()
    values["dedupe_against_test"] = given | {"gates": ["exact"]}
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    done = start(project)
    said = done.communicate()[1]
    assert (done.returncode, "2 kept" in said) == (0, True), said
    assert not (project / ".llm2llm").exists()
