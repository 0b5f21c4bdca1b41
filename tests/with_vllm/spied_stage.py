"""Run a stage's script, noting which requests vLLM was asked; kill the process at a group.

Usage: python spied_stage.py STAGE LOG (before|after|never) GROUP; it is killed before it asks the
group of that number, from 1 on, or after it was answered and before any of it was kept.
"""

import json
import os
import runpy
import signal
import sys
from pathlib import Path

from llm2llm.teacher.vllm import VllmTeacher


def main(stage: str, log: Path, moment: str, group: int) -> None:
    """Put a spy around `ask_group`, and be the stage."""
    asked = VllmTeacher.ask_group
    n_groups = 0

    def spy(self, requests):
        nonlocal n_groups
        n_groups += 1
        if (moment, group) == ("before", n_groups):
            os.kill(os.getpid(), signal.SIGKILL)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([request.request_id for request in requests]) + "\n")
        outcomes = asked(self, requests)
        if (moment, group) == ("after", n_groups):
            os.kill(os.getpid(), signal.SIGKILL)
        return outcomes

    VllmTeacher.ask_group = spy
    sys.argv = [stage, "0"]
    runpy.run_path(stage, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
