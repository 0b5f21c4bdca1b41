"""What the two stages that train have in common: read params, train, deliver, tell."""

import os
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from llm2llm.files import read_json, read_records
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.progress import progress
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.stage import PARAMS, say, store, waiting
from llm2llm.student.compute import forget_launchers
from llm2llm.student.pace import Pace
from llm2llm.student.training import deliver, summary, train_student
from llm2llm.student.training_facts import Training
from llm2llm.tasks.sections import AnswerFormat, StudentFormat


def train_as_params_say(
    stage: str,
    examples: Sequence[Example],
    target: Path,
    *,
    n_updates: int | None = None,
    start: Path | None = None,
) -> None:
    """Train on the examples and write the student into the folder `target`.

    `n_updates` null follows from their number; `start` is the student that `continuous` goes on
    from.
    """
    forget_launchers(os.environ)
    task = Path(load_value(PARAMS, "task", str))
    params = load_section(PARAMS, "train_iter", TrainIterParams)
    dev = read_records(Path("data/split/dev.parquet"), SplitRow) if params.early_stopping else []
    training = Training(
        examples=[(example.input, example.target) for example in examples],
        base_folder=Path("data/base"),
        student_format=load_section(task, "student", StudentFormat),
        params=params,
        random_seed=load_value(PARAMS, "random_seed", int),
        n_updates=n_updates,
        answer_format=load_section(task, "answer", AnswerFormat),
        dev=[(row.input, row.target) for row in dev],
        start=start,
    )
    runtime = load_section(PARAMS, "runtime", RuntimeParams)
    with progress(stage) as advance:
        train_student(
            training,
            store=store(),
            checkpoint_every_steps=runtime.checkpoint_every_steps,
            on_wait=waiting,
            on_progress=Pace(advance, time.monotonic),
            use=partial(deliver, target=target),
        )
    say(f"{stage}: {summary(read_json(target / 'manifest.json'))}")
