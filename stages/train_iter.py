"""Train the student of this iteration on its set, from the pretrained weights by default."""

from functools import partial
from pathlib import Path

from llm2llm.files import read_json, read_records
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.progress import progress
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.stage import PARAMS, run_iteration, say, store, waiting
from llm2llm.student.training import deliver, summary, train_student
from llm2llm.student.training_facts import Training
from llm2llm.tasks.sections import AnswerFormat, StudentFormat


def main(iteration: int) -> None:
    """Write data/iterations/i/student/."""
    task = Path(load_value(PARAMS, "task", str))
    params = load_section(PARAMS, "train_iter", TrainIterParams)
    examples = read_records(Path(f"data/sets/{iteration}/examples.parquet"), Example)
    dev = read_records(Path("data/split/dev.parquet"), SplitRow) if params.early_stopping else []
    training = Training(
        examples=[(example.input, example.target) for example in examples],
        base_folder=Path("data/base"),
        student_format=load_section(task, "student", StudentFormat),
        params=params,
        random_seed=load_value(PARAMS, "random_seed", int),
        n_updates=None,
        answer_format=load_section(task, "answer", AnswerFormat),
        dev=[(row.input, row.target) for row in dev],
        start=Path(f"data/iterations/{iteration - 1}/student") if iteration else None,
    )
    runtime = load_section(PARAMS, "runtime", RuntimeParams)
    target = Path(f"data/iterations/{iteration}/student")
    with progress(f"train-iter {iteration}") as advance:
        train_student(
            training,
            store=store(),
            checkpoint_every_steps=runtime.checkpoint_every_steps,
            on_wait=waiting,
            on_progress=advance,
            use=partial(deliver, target=target),
        )
    say(f"train-iter {iteration}: {summary(read_json(target / 'manifest.json'))}")


if __name__ == "__main__":
    run_iteration(main)
