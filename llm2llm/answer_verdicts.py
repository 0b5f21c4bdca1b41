"""Let a judge decide about free text that is not equal to the reference answer."""

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from llm2llm.answer_judging import AnswerJudge, Claim
from llm2llm.exceptions import TeacherError
from llm2llm.grading import RIGHT, WRONG
from llm2llm.opinions import Judgment
from llm2llm.records.judgments import AnswerJudgment
from llm2llm.records.predictions import Prediction
from llm2llm.records.samples import Sample
from llm2llm.records.split import SplitRow

Answer = TypeVar("Answer", Prediction, Sample)

# The opinion that makes an answer right first, then the others.
OPINIONS = ("yes", "no", "unclear", "failed")
# Fewer answers without a verdict may well be their own fault, and stop nothing.
_FEWEST_WITHOUT = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """Answers with their final verdicts, and a row for each that was put to the judge."""

    predictions: list[Prediction]
    samples: list[Sample]
    judgments: list[AnswerJudgment]


def judge_answers(
    splits: Mapping[str, Sequence[SplitRow]],
    predictions: Sequence[Prediction],
    samples: Sequence[Sample],
    judge: AnswerJudge,
) -> Judged:
    """Put every wrong answer to the judge, draws after the likeliest ones; a clear yes is right.

    An answer that cannot be read is not asked about. Raises TeacherError where a judgment is to
    come: then nothing is graded.
    """
    rows = {(split, row.example_id): row for split, each in splits.items() for row in each}
    answers: list[Prediction | Sample] = [*predictions, *samples]
    places = [place for place, answer in enumerate(answers) if answer.verdict == WRONG]
    judgments = judge.judge([_claim(rows, answers[place]) for place in places])
    said = dict(zip(places, judgments, strict=True))
    right = {place for place, judgment in said.items() if judgment.opinion == "yes"}
    n = len(predictions)
    return Judged(
        [_graded(each, right=place in right) for place, each in enumerate(predictions)],
        [_graded(each, right=place in right) for place, each in enumerate(samples, start=n)],
        [_row(answers[place], judgment) for place, judgment in said.items()],
    )


def opinions(judgments: Sequence[AnswerJudgment]) -> dict[str, int]:
    """Count answers by what the judge said of them."""
    counts = Counter(judgment.opinion for judgment in judgments)
    return {opinion: counts[opinion] for opinion in OPINIONS}


def by_split(judgments: Sequence[AnswerJudgment]) -> dict[str, dict[str, int]]:
    """Count likeliest answers by split and opinion, where there are any of a split."""
    likeliest = [judgment for judgment in judgments if judgment.draw is None]
    return {
        split: opinions([judgment for judgment in likeliest if judgment.split == split])
        for split in dict.fromkeys(judgment.split for judgment in likeliest)
    }


def names_of(judgments: Sequence[AnswerJudgment]) -> str:
    """Name the models that judged, by their own word."""
    return ", ".join(sorted({judgment.teacher or "unnamed" for judgment in judgments}))


def told(judgments: Sequence[AnswerJudgment]) -> str:
    """Say in a few words how many answers were judged, and how."""
    counts = in_words(opinions(judgments))
    return f"{len(judgments)} answers judged{counts and f' ({counts})'}"


def in_words(counts: Mapping[str, int]) -> str:
    """List the opinions that there are."""
    return ", ".join(f"{n} {opinion}" for opinion, n in counts.items() if n)


def doubts(judgments: Sequence[AnswerJudgment]) -> str | None:
    """Say that a judge gave no verdict on most answers; null where it did."""
    without = _without(judgments)
    if 2 * len(without) <= len(judgments):
        return None
    return (
        f"warning: {len(without)} of {len(judgments)} answers count as wrong without a verdict,"
        f" most often for: {_commonest(without)}; mend `predict.judge` in params.yaml before a"
        " teacher is paid"
    )


def refuse_without_verdicts(judgments: Sequence[AnswerJudgment], max_unclear: float) -> None:
    """Raise TeacherError where more than a share of the answers got neither yes nor no.

    They would all count as wrong, and a teacher be paid for each such seed.
    """
    without = _without(judgments)
    if len(without) < _FEWEST_WITHOUT or len(without) <= max_unclear * len(judgments):
        return
    raise TeacherError(
        f"the judge said neither yes nor no of {len(without)} of {len(judgments)} answers, most"
        f" often for: {_commonest(without)}; `predict.judge.max_unclear` allows a share of"
        f" {max_unclear}. What was paid is in the ledger, and nothing else is kept: mend"
        " `predict.judge` in params.yaml (often `model`, `response_format` or `max_tokens`; another"
        " `revision` where the model behind the name was mended) and run `dvc repro` again, or set"
        " `max_unclear: 1.0` to count such answers as wrong"
    )


def _without(judgments: Sequence[AnswerJudgment]) -> list[AnswerJudgment]:
    return [each for each in judgments if each.opinion not in ("yes", "no")]


def _commonest(judgments: Sequence[AnswerJudgment]) -> str:
    [(reason, _)] = Counter(each.reason for each in judgments).most_common(1)
    return reason


def _claim(rows: Mapping[tuple[str, str], SplitRow], answer: Prediction | Sample) -> Claim:
    row = rows[answer.split, answer.example_id]
    return Claim(row.example_id, row.input, row.answer, answer.answer or "")


def _graded(answer: Answer, *, right: bool) -> Answer:
    return dataclasses.replace(answer, verdict=RIGHT) if right else answer


def _row(answer: Prediction | Sample, judgment: Judgment) -> AnswerJudgment:
    return AnswerJudgment(
        split=answer.split,
        example_id=answer.example_id,
        draw=answer.draw if isinstance(answer, Sample) else None,
        request_id=judgment.request_id,
        opinion=judgment.opinion,
        reason=judgment.reason,
        teacher=judgment.teacher,
        n_prompt_tokens=judgment.n_prompt_tokens,
        n_completion_tokens=judgment.n_completion_tokens,
    )
