"""List the seeds that the student of this iteration got wrong."""

from pathlib import Path

from llm2llm.files import read_records, write_records
from llm2llm.grading import seed_errors, suspected_label_errors
from llm2llm.params.diff_errors import DiffErrorsParams
from llm2llm.params.loading import load_section
from llm2llm.records.errors import SeedError
from llm2llm.records.predictions import Prediction
from llm2llm.records.state import SeedState
from llm2llm.stage import PARAMS, run_iteration, say


def main(iteration: int) -> None:
    """Write data/iterations/i/errors.parquet."""
    params = load_section(PARAMS, "diff_errors", DiffErrorsParams)
    folder = Path(f"data/iterations/{iteration}")
    predictions = read_records(folder / "predictions.parquet", Prediction)
    states = read_records(Path(f"data/sets/{iteration}/state.parquet"), SeedState)
    errors = seed_errors(
        predictions,
        states,
        iteration=iteration,
        max_examples_per_seed=params.max_examples_per_seed,
    )
    write_records(folder / "errors.parquet", SeedError, errors)
    capped = sum(not error.ask for error in errors)
    verdicts = {p.example_id: p.verdict for p in predictions if p.split == "seed"}
    suspected = suspected_label_errors(states, verdicts)
    say(
        f"diff-errors {iteration}: {len(errors)} of {len(states)} seeds answered wrong,"
        f" {len(errors) - capped} to ask about, {capped} at their cap"
        + ("" if errors else "; so nothing is asked of the teacher")
        + (f"; {len(suspected)} never right yet, their labels may be wrong" if suspected else "")
    )


if __name__ == "__main__":
    run_iteration(main)
