"""Let the student of this iteration answer seeds, dev and test, and grade it."""

from pathlib import Path

from llm2llm.measuring_stage import measure_as_params_say
from llm2llm.stage import run_iteration


def main(iteration: int) -> None:
    """Write predictions.parquet and samples.parquet of data/iterations/i/."""
    measure_as_params_say(f"predict {iteration}", Path(f"data/iterations/{iteration}"))


if __name__ == "__main__":
    run_iteration(main)
