"""What the two stages that predict have in common: read params, measure, write, tell."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from llm2llm.files import read_records, write_records
from llm2llm.measuring import SPLITS, measure, told
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.predict import PredictParams
from llm2llm.progress import progress
from llm2llm.records.predictions import Prediction
from llm2llm.records.samples import Sample
from llm2llm.records.split import SplitRow
from llm2llm.stage import PARAMS, say, store, waiting
from llm2llm.student.pace import Pace
from llm2llm.tasks.sections import AnswerFormat, StudentFormat


def measure_as_params_say(stage: str, folder: Path) -> None:
    """Let the student in `folder` answer the split, and write the files of `write_measured`."""
    task = Path(load_value(PARAMS, "task", str))
    with progress(stage) as advance:
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
    write_measured(folder, predictions, samples)
    truncated = sum(prediction.truncated for prediction in predictions)
    say(f"{stage}: right {told(predictions, samples)}; {truncated} answers truncated")


def write_measured(
    folder: Path, predictions: Sequence[Prediction], samples: Sequence[Sample]
) -> None:
    """Write predictions.parquet and samples.parquet."""
    write_records(folder / "predictions.parquet", Prediction, predictions)
    write_records(folder / "samples.parquet", Sample, samples)
