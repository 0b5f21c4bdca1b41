"""A training in several processes, seen from the stage: started, listened to, ended."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from llm2llm.exceptions import MachineError, StudentError
from llm2llm.ids import Json
from llm2llm.student.pace import Progress
from llm2llm.student.processes import launcher
from llm2llm.student.processes.job import JobFolder
from llm2llm.student.processes.lifetime import wait_for_all
from llm2llm.student.training_facts import Training
from llm2llm.student.training_state import newest_complete


def make_in_processes(
    training: Training,
    facts: Mapping[str, Json],
    student: Path,
    states: Path,
    checkpoint_every_steps: int,
    on_progress: Callable[[Progress], None],
    on_wait: Callable[[str], None],
) -> None:
    """Do what `make` does, in as many processes as the params say, one for each device.

    Raises what the process of lowest rank that could tell of a failure raised. All processes end
    when this one does.
    """
    if sys.platform != "linux":
        raise MachineError(
            f"`train_iter.processes`: found {training.params.processes} on {sys.platform}, expected"
            " 1, as only Linux ends processes with the one that started them; set 1"
        )
    folder = JobFolder(states.parent / "processes")
    wait_for_all(folder.presence, on_wait)
    newest_complete(states)  # alone, as it deletes all others
    shutil.rmtree(student, ignore_errors=True)
    folder.start(
        {
            "training": training,
            "facts": facts,
            "student": student,
            "states": states,
            "checkpoint_every_steps": checkpoint_every_steps,
        }
    )
    exit_code = _listen(folder, on_progress)
    if exit_code:
        raise folder.failure() or StudentError(
            f"training: the launcher of its processes ended with exit code {exit_code}, expected 0;"
            f" {folder.log} says more; `dvc repro` goes on from the last complete state"
        )
    shutil.rmtree(folder.path)


def _listen(folder: JobFolder, on_progress: Callable[[Progress], None]) -> int:
    """Run the launcher, pass progress on, and give its exit code.

    A session of its own keeps a terminal's Ctrl-C from the processes: this one ends them.
    """
    with (
        folder.log.open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", launcher.__name__, str(folder.path), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None  # it is a pipe
        try:
            for line in process.stdout:
                on_progress(Progress(**json.loads(line)))
        except BaseException:
            process.kill()
            raise
    return process.returncode
