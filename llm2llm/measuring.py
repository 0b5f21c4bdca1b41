"""Ask a student every row of the split and grade what it answers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from llm2llm.grading import grade
from llm2llm.params.predict import PredictParams
from llm2llm.records.predictions import Prediction
from llm2llm.records.split import SplitRow
from llm2llm.student.generating import Generation
from llm2llm.student.prediction import Asking, answers
from llm2llm.tasks.sections import AnswerFormat, StudentFormat

SPLITS = ("seed", "dev", "test")


def measure(
    student: Path,
    splits: Mapping[str, Sequence[SplitRow]],
    *,
    base_folder: Path,
    student_format: StudentFormat,
    answer_format: AnswerFormat,
    params: PredictParams,
    store: Path,
    on_wait: Callable[[str], None],
    on_progress: Callable[[int, int], None],
) -> list[Prediction]:
    """Give a prediction for every row, in the order of SPLITS and of the rows within each.

    Of the test rows only the first `params.test_rows` are asked, if it is set.
    """
    splits = {**splits, "test": splits["test"][: params.test_rows]}
    rows = [row for split in SPLITS for row in splits[split]]
    asking = Asking(
        inputs=[row.input for row in rows],
        targets=[row.target for row in splits["seed"]],
        student=student,
        base_folder=base_folder,
        student_format=student_format,
        params=params,
    )
    generations = answers(asking, store=store, on_wait=on_wait, on_progress=on_progress)
    return graded(splits, generations, answer_format)


def graded(
    splits: Mapping[str, Sequence[SplitRow]],
    generations: Sequence[Generation],
    answer_format: AnswerFormat,
) -> list[Prediction]:
    """Join rows and answers, both in the order of SPLITS, and give each its verdict."""
    named = [(split, row) for split in SPLITS for row in splits[split]]
    predictions = []
    for (split, row), generation in zip(named, generations, strict=True):
        result = grade(answer_format, row.answer, generation.text)
        predictions.append(
            Prediction(
                split=split,
                example_id=row.example_id,
                text=generation.text,
                answer=result.answer,
                verdict=result.verdict,
                truncated=generation.truncated,
                n_tokens=generation.n_tokens,
            )
        )
    return predictions
