"""Kill one teacher stage again and again, under the real DVC, and see that nothing is paid twice.

`python tests/pipeline/kills.py --kills 50 --requests 200` does it at length and prints what it saw.
"""

import argparse
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))  # pytest finds the modules by itself

from project import Project, make_project, wait_for  # noqa: E402 - the path comes first
from server import Server  # noqa: E402
from teacher_server import sent  # noqa: E402

from llm2llm.files import write_records  # noqa: E402
from llm2llm.ids import example_id  # noqa: E402
from llm2llm.records.errors import SeedError  # noqa: E402
from llm2llm.records.examples import Example  # noqa: E402

STAGE = "stages/dvc.yaml:teacher-batch@0"
CONCURRENCY = 4


class Served(Protocol):
    """A server with an address."""

    @property
    def url(self) -> str:
        """The base URL that a client is given."""


@dataclass
class Seen:
    """What became of the killed stage and of the undisturbed one."""

    n_kills: int
    n_received: int
    n_repeated: int
    n_repeated_after_commit: int
    equal: bool


def stage_project(folder: Path, server: Served, n_requests: int) -> Project:
    """Make a project whose teacher stage of iteration 0 can be run alone."""
    project = make_project(folder)
    project.set_params(
        teacher_batch={
            "backend": "openai",
            "attempts": 1,
            "openai": {"base_url": server.url, "random_seed": 1, "response_format": "none"},
        },
        runtime={"teacher_concurrency": CONCURRENCY},
    )
    nothing: dict[str, Any] = dict.fromkeys(
        ["iteration", "error", "checkpoint", "request_id", "prompt_sha256", "teacher"]
    )
    examples, errors = [], []
    for k in range(n_requests):
        text, target = f"Ann has {k + 2} pears and eats one. How many are left?", f"#### {k + 1}"
        name = example_id(text, target)
        examples.append(
            Example(
                example_id=name, origin="seed", seed_id=name, input=text, target=target,
                gate_version=None, **nothing,
            )
        )  # fmt: skip
        errors.append(SeedError(name, 0, "wrong", "#### 0", "0", 1, False, 0, True))
    write_records(project.root / "data/sets/0/examples.parquet", Example, examples)
    write_records(project.root / "data/iterations/0/errors.parquet", SeedError, errors)
    return project


def stage_processes(project: Project) -> list[int]:
    """List the processes of this project's teacher stage."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                home = (entry / "cwd").resolve()
            except OSError:
                continue
            if b"teacher_batch.py" in command and home == project.root.resolve():
                found.append(int(entry.name))
    return found


def committed(project: Project) -> set[str]:
    """Name what the ledger holds, by the messages that were sent."""
    path = project.root / ".llm2llm/ledger.sqlite"
    if not path.exists():
        return set()
    with sqlite3.connect(path) as ledger:
        try:
            rows = ledger.execute("SELECT request FROM requests").fetchall()
        except sqlite3.OperationalError:
            return set()
    return {sent(json.loads(request)["messages"]) for (request,) in rows}


def kill(project: Project, run: subprocess.Popen[bytes], how: str) -> None:
    """Kill the group, the stage's process, or dvc alone; in the end no stage is alive.

    After dvc alone another dvc is started, which waits for the orphan; then both go.
    """
    pids = stage_processes(project)
    if how == "process" and pids:  # without one dvc is still starting, and goes as a whole
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        run.wait()
        return
    if how == "dvc":
        os.kill(run.pid, signal.SIGKILL)
        run.wait()
        second = project.start("--single-item", STAGE)
        time.sleep(0.5)
        os.killpg(second.pid, signal.SIGKILL)
        second.wait()
    else:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    for pid in stage_processes(project):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not stage_processes(project), "the end of the stage", 30)


def kill_often(
    folder: Path, *, n_kills: int, n_requests: int, delay_s: float, random_seed: int
) -> Seen:
    """Kill a stage so many times, let it end, and compare with one that nobody disturbed."""
    rng = random.Random(random_seed)
    folder.mkdir(parents=True, exist_ok=True)
    server = Server(folder, "gsm8k", delay_s)
    try:
        project = stage_project(folder / "killed", server, n_requests)
        marks: list[tuple[int, set[str]]] = []
        done = 0
        while done < n_kills:
            before = len(server.received())
            run = project.start("--single-item", STAGE)
            if rng.random() < 0.85:
                wait_for(
                    lambda run=run, before=before: (
                        len(server.received()) > before or run.poll() is not None
                    ),
                    "a request",
                )
            time.sleep(rng.uniform(0, 2 * delay_s))
            if run.poll() is not None:
                raise AssertionError(
                    f"the stage ended by itself after {done} kills:\n{project.log()[-2000:]}"
                )
            kill(project, run, rng.choice(["group", "process", "dvc"]))
            done += 1
            # A request under way at the kill may still be noted by the server.
            time.sleep(0.05)
            marks.append((len(server.received()), committed(project)))
            project.run("llm2llm", "doctor", "--fix")
        project.repro("--single-item", STAGE)
        received = server.received()
        late = sum(name in known for n_before, known in marks for name in received[n_before:])
        clean = stage_project(folder / "clean", server, n_requests)
        clean.repro("--single-item", STAGE)
        name = "data/iterations/0/responses.parquet"
        equal = (project.root / name).read_bytes() == (clean.root / name).read_bytes()
    finally:
        server.stop()
    return Seen(done, len(received), len(received) - n_requests, late, equal)


def main() -> None:
    """Print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--delay-s", type=float, default=0.4)
    parser.add_argument("--random-seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen = kill_often(
            Path(folder), n_kills=given.kills, n_requests=given.requests, delay_s=given.delay_s,
            random_seed=given.random_seed,
        )  # fmt: skip
    print(  # noqa: T201 - what the command is for
        f"{seen.n_kills} kills, {seen.n_received} requests sent for {given.requests} answers:"
        f" {seen.n_repeated} were in flight at a kill and sent again,"
        f" {seen.n_repeated_after_commit} were in the ledger already (expected 0);"
        f" the output is {'byte-identical to' if seen.equal else 'NOT that of'} an undisturbed run"
    )
    if seen.n_repeated_after_commit or not seen.equal:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
