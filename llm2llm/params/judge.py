"""Sections that name a judge: a teacher that says yes or no to what it is shown."""

from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from llm2llm.params.teacher import TeacherParams


class JudgeParams(TeacherParams):
    """A teacher with a model: the symbolic one has none that could judge."""

    @field_validator("backend", mode="before")
    @classmethod
    def _can_judge(cls, value: Any) -> Any:
        if value == "symbolic":
            raise ValueError(
                "openai, openai-batch or vllm: the symbolic teacher has no model that could judge"
            )
        return value


class LeakJudgeParams(JudgeParams):
    """A judge that is shown a candidate beside the test items nearest to it, and a cosine.

    Asked about are candidates that score `asked_from` and do not reach the embedding gate's cut.
    """

    where: ClassVar[str] = "dedupe_against_test.judge"

    asked_from: Annotated[float, Field(gt=0, le=1)]


class AnswerJudgeParams(JudgeParams):
    """A judge that is shown an input, its reference answer and a student's, of test rows too.

    The stage stops where more than `max_unclear` of the answers get neither yes nor no from it.
    """

    where: ClassVar[str] = "predict.judge"

    # Projects older than this key have a judge without it.
    max_unclear: Annotated[float, Field(ge=0, le=1)] = 0.2
