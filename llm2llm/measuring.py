"""Ask a student every row of the split and grade what it answers."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from llm2llm.grading import RIGHT, accuracy, grade
from llm2llm.params.predict import PredictParams
from llm2llm.records.predictions import Prediction
from llm2llm.records.samples import Sample
from llm2llm.records.split import SplitRow
from llm2llm.student.generating import Generation
from llm2llm.student.pace import Progress
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
    random_seed: int,
    store: Path,
    set_default: Callable[[str, str], object],
    on_wait: Callable[[str], None],
    on_progress: Callable[[Progress], None],
) -> tuple[list[Prediction], list[Sample]]:
    """Give a prediction for every row, in the order of SPLITS and of the rows within each.

    Then the draws, row by row, where params ask for any. Of the test rows only the first
    `params.test_rows` are asked, if it is set.
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
        random_seed=random_seed,
    )
    answered = answers(
        asking, store=store, set_default=set_default, on_wait=on_wait, on_progress=on_progress
    )
    return (
        graded(splits, answered.greedy, answer_format),
        graded_samples(splits, answered.drawn, answer_format),
    )


def graded(
    splits: Mapping[str, Sequence[SplitRow]],
    generations: Sequence[Generation],
    answer_format: AnswerFormat,
) -> list[Prediction]:
    """Join rows and answers, both in the order of SPLITS, and give each its verdict."""
    predictions = []
    for (split, row), generation in zip(_named(splits), generations, strict=True):
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


def graded_samples(
    splits: Mapping[str, Sequence[SplitRow]],
    drawn: Sequence[Sequence[Generation]],
    answer_format: AnswerFormat,
) -> list[Sample]:
    """Join rows and their draws, and give each draw its verdict."""
    samples = []
    for (split, row), generations in zip(_named(splits), drawn, strict=True):
        for draw, generation in enumerate(generations):
            result = grade(answer_format, row.answer, generation.text)
            samples.append(
                Sample(
                    split=split,
                    example_id=row.example_id,
                    draw=draw,
                    text=generation.text,
                    answer=result.answer,
                    verdict=result.verdict,
                    truncated=generation.truncated,
                    n_tokens=generation.n_tokens,
                )
            )
    return samples


def told(predictions: Sequence[Prediction], samples: Sequence[Sample]) -> str:
    """Say in one line what share was right, with 95 % Wilson intervals, and the pass rates."""
    parts = []
    for split in SPLITS:
        found = accuracy([p.verdict for p in predictions if p.split == split])
        if not found.n:
            continue
        text = (
            f"{split} {100 * found.share:.1f} % of {found.n}"
            f" ({100 * found.low:.1f} to {100 * found.high:.1f})"
        )
        verdicts = [sample.verdict for sample in samples if sample.split == split]
        if verdicts:
            share = verdicts.count(RIGHT) / len(verdicts)
            text += f", pass rate {100 * share:.1f} % of {len(verdicts) // found.n} draws each"
        parts.append(text)
    return "; ".join(parts) or "no rows"


def _named(splits: Mapping[str, Sequence[SplitRow]]) -> list[tuple[str, SplitRow]]:
    return [(split, row) for split in SPLITS for row in splits[split]]
