"""What the two stages that predict have in common: read params, measure, write, tell."""

import os
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from llm2llm.answer_judging import AnswerJudge
from llm2llm.answer_verdicts import (
    Judged,
    doubts,
    judge_answers,
    refuse_without_verdicts,
)
from llm2llm.answer_verdicts import told as told_judgments
from llm2llm.exceptions import ParamsError
from llm2llm.files import read_records, write_records
from llm2llm.ids import sha256_file, sha256_json
from llm2llm.judge_edge import judge_sender
from llm2llm.ledger.database import Ledger
from llm2llm.measuring import SPLITS, measure, told
from llm2llm.params.contradictions import judge_problems
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.measuring import MeasuringParams
from llm2llm.progress import progress
from llm2llm.records.judgments import AnswerJudgment
from llm2llm.records.predictions import Prediction
from llm2llm.records.samples import Sample
from llm2llm.records.split import SplitRow
from llm2llm.stage import PARAMS, say, store, waiting
from llm2llm.student.pace import Pace
from llm2llm.tasks.sections import AnswerFormat, StudentFormat
from llm2llm.work import unit_of_work


@dataclass(frozen=True, slots=True)
class Place:
    """A stage as it is told of, its folder, and its name in the dvc.lock that lists it."""

    stage: str
    folder: Path
    recorded: str
    lock: Path


def measure_as_params_say(place: Place) -> None:
    """Let the student in the folder answer the split, and write the files of `write_measured`.

    Free text is judged before anything is written; an outage leaves no file, nor does a judge that
    says neither yes nor no too often.
    """
    params = load_section(PARAMS, "predict", MeasuringParams)
    task = Path(load_value(PARAMS, "task", str))
    answer_format = load_section(task, "answer", AnswerFormat)
    if problems := judge_problems(answer_format, params):
        raise ParamsError("\n".join(f"{PARAMS}: {problem}" for problem in problems))
    files = {name: Path(f"data/split/{name}.parquet") for name in SPLITS}
    splits = {name: read_records(path, SplitRow) for name, path in files.items()}
    with _paying_alone(place, params, answer_format, list(files.values())):
        with progress(place.stage) as advance:
            predictions, samples = measure(
                place.folder / "student",
                splits,
                base_folder=Path("data/base"),
                student_format=load_section(task, "student", StudentFormat),
                answer_format=answer_format,
                params=params.answering,
                random_seed=load_value(PARAMS, "random_seed", int),
                store=store(),
                set_default=os.environ.setdefault,
                on_wait=waiting,
                on_progress=Pace(advance, time.monotonic),
            )
        measured = Judged(predictions, samples, [])
        if params.judge is not None:
            with progress(f"{place.stage}: judge") as advance:
                judge = AnswerJudge(
                    params.judge,
                    judge_sender(
                        params.judge,
                        place.recorded,
                        place.lock,
                        lambda: Ledger(store()),
                        lambda tally: advance(
                            tally.n_done, tally.n_total, tally.note(time.monotonic())
                        ),
                    ),
                )
                measured = judge_answers(splits, predictions, samples, judge)
            refuse_without_verdicts(measured.judgments, params.judge.max_unclear)
        write_measured(place.folder, measured.predictions, measured.samples, measured.judgments)
    truncated = sum(prediction.truncated for prediction in predictions)
    judged = f"; {told_judgments(measured.judgments)}" if params.judge is not None else ""
    say(
        f"{place.stage}: right {told(measured.predictions, measured.samples)}; {truncated} answers"
        f" truncated{judged}"
    )
    if doubted := doubts(measured.judgments):
        say(f"{place.stage}: {doubted}")


def write_measured(
    folder: Path,
    predictions: Sequence[Prediction],
    samples: Sequence[Sample],
    judgments: Sequence[AnswerJudgment],
) -> None:
    """Write predictions.parquet, samples.parquet and judgments.parquet."""
    write_records(folder / "predictions.parquet", Prediction, predictions)
    write_records(folder / "samples.parquet", Sample, samples)
    write_records(folder / "judgments.parquet", AnswerJudgment, judgments)


def _paying_alone(
    place: Place, params: MeasuringParams, answer_format: AnswerFormat, files: Sequence[Path]
) -> AbstractContextManager[object]:
    """Keep other processes from asking for the same judgments meanwhile, an orphan's too.

    Without a judge nothing is paid, and nothing more is locked than what the student answers.
    """
    if params.judge is None:
        return nullcontext()
    read = (place.folder / "student/manifest.json", *files)
    sections = [each.model_dump() for each in (params, answer_format)]
    key = sha256_json([place.stage, *sections, *(sha256_file(file) for file in read)])
    return unit_of_work(store(), key, waiting)
