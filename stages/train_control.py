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
from llm2llm.stage import PARAMS, run_iteration, say, store, waiting
from llm2llm.student.batches import n_updates_for
from llm2llm.student.training import Training, deliver, summary, train_student
from llm2llm.tasks.sections import StudentFormat

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
    params = load_section(PARAMS, "train_iter", TrainIterParams)
    runtime = load_section(PARAMS, "runtime", RuntimeParams)
    training = Training(
        examples=[(seed.input, seed.target) for seed in seeds],
        base_folder=Path("data/base"),
        student_format=load_section(
            Path(load_value(PARAMS, "task", str)), "student", StudentFormat
        ),
        params=params,
        random_seed=load_value(PARAMS, "random_seed", int),
        n_updates=n_updates_for(len(last), params.batch_size, params.epochs),
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
