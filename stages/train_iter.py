"""Train the student of this iteration on its set, from the pretrained weights by default."""

from pathlib import Path

from llm2llm.files import read_records
from llm2llm.records.examples import Example
from llm2llm.stage import run_iteration
from llm2llm.training_stage import train_as_params_say


def main(iteration: int) -> None:
    """Write data/iterations/i/student/."""
    train_as_params_say(
        f"train-iter {iteration}",
        read_records(Path(f"data/sets/{iteration}/examples.parquet"), Example),
        Path(f"data/iterations/{iteration}/student"),
        start=Path(f"data/iterations/{iteration - 1}/student") if iteration else None,
    )


if __name__ == "__main__":
    run_iteration(main)
