"""Let the control answer seeds, dev and test, and grade it."""

import os
import time
from pathlib import Path

from llm2llm.files import read_json, read_records, write_records
from llm2llm.measuring import SPLITS, measure, told
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.predict import PredictParams
from llm2llm.progress import progress
from llm2llm.records.predictions import Prediction
from llm2llm.records.samples import Sample
from llm2llm.records.split import SplitRow
from llm2llm.stage import PARAMS, run, say, store, waiting
from llm2llm.student.pace import Pace
from llm2llm.tasks.sections import AnswerFormat, StudentFormat


def main() -> None:
    """Write both files of data/control/, without rows where the control is switched off."""
    folder = Path("data/control")
    if "checkpoint_sha256" not in read_json(folder / "student/manifest.json"):
        write_records(folder / "predictions.parquet", Prediction, [])
        write_records(folder / "samples.parquet", Sample, [])
        say("predict-control: switched off in params.yaml")
        return
    task = Path(load_value(PARAMS, "task", str))
    with progress("predict-control") as advance:
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
    say(f"predict-control: right {told(predictions, samples)}")


if __name__ == "__main__":
    run(main)
