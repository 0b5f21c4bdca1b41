"""Let the student of this iteration answer seeds, dev and test, and grade it."""

from pathlib import Path

from llm2llm.measuring_stage import Place, measure_as_params_say
from llm2llm.stage import run_iteration


def main(iteration: int) -> None:
    """Write predictions, samples and judgments.parquet of data/iterations/i/."""
    measure_as_params_say(
        Place(
            stage=f"predict {iteration}",
            folder=Path(f"data/iterations/{iteration}"),
            recorded=f"predict@{iteration}",
            lock=Path("stages/dvc.lock"),
        )
    )


if __name__ == "__main__":
    run_iteration(main)
