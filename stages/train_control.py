"""Train the control: the seed set alone, for as many updates as the last set takes."""

from pathlib import Path

from llm2llm.files import read_records, replacing_folder, write_json
from llm2llm.params.loading import load_section
from llm2llm.params.train_control import TrainControlParams
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.records.examples import Example
from llm2llm.stage import PARAMS, run_iteration, say
from llm2llm.student.batches import n_updates_for, set_sizes
from llm2llm.training_stage import train_as_params_say

TARGET = Path("data/control/student")


def main(iterations: int) -> None:
    """Write data/control/student/; switched off, its manifest says so and nothing else is there."""
    if not load_section(PARAMS, "train_control", TrainControlParams).enabled:
        with replacing_folder(TARGET) as folder:
            write_json(folder / "manifest.json", {"enabled": False})
        say("train-control: switched off in params.yaml")
        return
    last = read_records(Path(f"data/sets/{iterations}/examples.parquet"), Example)
    params = load_section(PARAMS, "train_iter", TrainIterParams)
    # Continuous students have seen every set before theirs too.
    sizes = set_sizes([example.iteration for example in last], iterations)
    train_as_params_say(
        "train-control",
        read_records(Path("data/sets/0/examples.parquet"), Example),
        TARGET,
        n_updates=sum(
            n_updates_for(size, params.batch_size, params.epochs)
            for size in (sizes if params.continuous else sizes[-1:])
        ),
    )


if __name__ == "__main__":
    run_iteration(main)
