"""What a judge said of answers in free text: data/iterations/i/judgments.parquet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AnswerJudgment:
    """One answer that was put to the judge; `draw` is null where it is the likeliest one.

    `opinion` is yes, which makes the answer right, no, unclear or failed; `reason` is the judge's
    own, or what keeps its answer from being either. Equal answers to one row share a request. The
    file has no rows where the task's answers are not of the kind free.
    """

    split: str
    example_id: str
    draw: int | None
    request_id: str
    opinion: str
    reason: str
    teacher: str | None
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
