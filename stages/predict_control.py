"""Let the control answer seeds, dev and test, and grade it."""

from pathlib import Path

from llm2llm.files import read_json, read_records, write_records
from llm2llm.grading import accuracy
from llm2llm.measuring import SPLITS, measure
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.predict import PredictParams
from llm2llm.progress import progress
from llm2llm.records.predictions import Prediction
from llm2llm.records.split import SplitRow
from llm2llm.stage import PARAMS, run, say, store, waiting
from llm2llm.tasks.sections import AnswerFormat, StudentFormat


def main() -> None:
    """Write data/control/predictions.parquet, without rows where the control is switched off."""
    folder = Path("data/control")
    if "checkpoint_sha256" not in read_json(folder / "student/manifest.json"):
        write_records(folder / "predictions.parquet", Prediction, [])
        say("predict-control: switched off in params.yaml")
        return
    task = Path(load_value(PARAMS, "task", str))
    with progress("predict-control") as advance:
        predictions = measure(
            folder / "student",
            {name: read_records(Path(f"data/split/{name}.parquet"), SplitRow) for name in SPLITS},
            base_folder=Path("data/base"),
            student_format=load_section(task, "student", StudentFormat),
            answer_format=load_section(task, "answer", AnswerFormat),
            params=load_section(PARAMS, "predict", PredictParams),
            store=store(),
            on_wait=waiting,
            on_progress=advance,
        )
    write_records(folder / "predictions.parquet", Prediction, predictions)
    test = accuracy([p.verdict for p in predictions if p.split == "test"])
    say(f"predict-control: right {100 * test.share:.1f} % of {test.n} test rows")


if __name__ == "__main__":
    run(main)
