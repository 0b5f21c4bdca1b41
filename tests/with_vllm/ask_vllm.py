"""Answer by vLLM in a process of its own, as a process can have one engine.

Usage: python ask_vllm.py BASE STUDENT STORE INPUTS CHANGES KILL_AT; INPUTS and CHANGES (of params)
are JSON, KILL_AT is a count of answers at which the process kills itself, or 0.
"""

import json
import os
import signal
import sys
from pathlib import Path

from tiny_student import FORMAT, PREDICT

from llm2llm.files import as_json
from llm2llm.params.predict import PredictParams
from llm2llm.student.pace import Progress
from llm2llm.student.prediction import Asking, answers


def main(base: str, student: str, store: str, inputs: str, changes: str, kill_at: str) -> None:
    """Print greedy answers and draws as one JSON line."""

    def on_progress(progress: Progress) -> None:
        if kill_at != "0" and progress.n_done == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)

    values = PREDICT.model_dump() | {"engine": "vllm"} | json.loads(changes)
    params = PredictParams.model_validate(values)
    answered = answers(
        Asking(json.loads(inputs), [], Path(student), Path(base), FORMAT, params, random_seed=5),
        store=Path(store),
        set_default=os.environ.setdefault,
        on_wait=lambda _: None,
        on_progress=on_progress,
    )
    found = {
        "greedy": [as_json(each) for each in answered.greedy],
        "drawn": [[as_json(each) for each in draws] for draws in answered.drawn],
    }
    sys.stdout.write(f"answered: {json.dumps(found)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
