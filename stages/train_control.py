"""Train the control: the seed set alone, for as many updates as the last set takes."""

from functools import partial
from pathlib import Path

from llm2llm.files import read_json, read_records, replacing_folder, write_json
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.train_control import TrainControlParams
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.progress import progress
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.stage import PARAMS, run_iteration, say, store, waiting
from llm2llm.student.batches import n_updates_for, set_sizes
from llm2llm.student.training import deliver, summary, train_student
from llm2llm.student.training_facts import Training
from llm2llm.tasks.sections import AnswerFormat, StudentFormat

TARGET = Path("data/control/student")


def main(iterations: int) -> None:
    """Write data/control/student/; switched off, its manifest says so and nothing else is there."""
    if not load_section(PARAMS, "train_control", TrainControlParams).enabled:
        with replacing_folder(TARGET) as folder:
            write_json(folder / "manifest.json", {"enabled": False})
        say("train-control: switched off in params.yaml")
        return
    seeds = read_records(Path("data/sets/0/examples.parquet"), Example)
    last = read_records(Path(f"data/sets/{iterations}/examples.parquet"), Example)
    task = Path(load_value(PARAMS, "task", str))
    params = load_section(PARAMS, "train_iter", TrainIterParams)
    dev = read_records(Path("data/split/dev.parquet"), SplitRow) if params.early_stopping else []
    runtime = load_section(PARAMS, "runtime", RuntimeParams)
    # Continuous students have seen every set before theirs too.
    sizes = set_sizes([example.iteration for example in last], iterations)
    training = Training(
        examples=[(seed.input, seed.target) for seed in seeds],
        base_folder=Path("data/base"),
        student_format=load_section(task, "student", StudentFormat),
        params=params,
        random_seed=load_value(PARAMS, "random_seed", int),
        n_updates=sum(
            n_updates_for(size, params.batch_size, params.epochs)
            for size in (sizes if params.continuous else sizes[-1:])
        ),
        answer_format=load_section(task, "answer", AnswerFormat),
        dev=[(row.input, row.target) for row in dev],
    )
    with progress("train-control") as advance:
        train_student(
            training,
            store=store(),
            checkpoint_every_steps=runtime.checkpoint_every_steps,
            on_wait=waiting,
            on_progress=advance,
            use=partial(deliver, target=TARGET),
        )
    say(f"train-control: {summary(read_json(TARGET / 'manifest.json'))}")


if __name__ == "__main__":
    run_iteration(main)
