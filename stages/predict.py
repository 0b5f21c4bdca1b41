"""Let the student of this iteration answer seeds, dev and test, and grade it."""

import os
import time
from pathlib import Path

from llm2llm.files import read_records, write_records
from llm2llm.measuring import SPLITS, measure, told
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.predict import PredictParams
from llm2llm.progress import progress
from llm2llm.records.predictions import Prediction
from llm2llm.records.samples import Sample
from llm2llm.records.split import SplitRow
from llm2llm.stage import PARAMS, run_iteration, say, store, waiting
from llm2llm.student.pace import Pace
from llm2llm.tasks.sections import AnswerFormat, StudentFormat


def main(iteration: int) -> None:
    """Write predictions.parquet and samples.parquet of data/iterations/i/."""
    task = Path(load_value(PARAMS, "task", str))
    folder = Path(f"data/iterations/{iteration}")
    with progress(f"predict {iteration}") as advance:
        predictions, samples = measure(
            folder / "student",
            {name: read_records(Path(f"data/split/{name}.parquet"), SplitRow) for name in SPLITS},
            base_folder=Path("data/base"),
            student_format=load_section(task, "student", StudentFormat),
            answer_format=load_section(task, "answer", AnswerFormat),
            params=load_section(PARAMS, "predict", PredictParams),
            random_seed=load_value(PARAMS, "random_seed", int),
            store=store(),
            set_default=os.environ.setdefault,
            on_wait=waiting,
            on_progress=Pace(advance, time.monotonic),
        )
    write_records(folder / "predictions.parquet", Prediction, predictions)
    write_records(folder / "samples.parquet", Sample, samples)
    truncated = sum(prediction.truncated for prediction in predictions)
    say(f"predict {iteration}: right {told(predictions, samples)}; {truncated} answers truncated")


if __name__ == "__main__":
    run_iteration(main)
