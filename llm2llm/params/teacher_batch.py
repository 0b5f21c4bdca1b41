"""Section `teacher_batch`: which teacher is asked, and how."""

from typing import Annotated, ClassVar

from pydantic import Field

from llm2llm.params.teacher import OpenAIParams as OpenAIParams
from llm2llm.params.teacher import TeacherParams


class TeacherBatchParams(TeacherParams):
    """`attempts` bounds the requests for one seed in one iteration.

    Up to `accepted_failures` of the requests (a share) may stay without an answer and become
    failed rows. With `solves` above 0 the teacher solves each candidate so many times, and more
    than half must agree with it.
    """

    where: ClassVar[str] = "teacher_batch"

    attempts: Annotated[int, Field(ge=1)]
    solves: Annotated[int, Field(ge=0, le=99)]
    accepted_failures: Annotated[float, Field(ge=0, lt=1)]
    openai: OpenAIParams

    @property
    def accepted_share(self) -> float:
        """The share of the requests that may stay without an answer."""
        return self.accepted_failures

    @property
    def is_paid(self) -> bool:
        """Whether an answer takes money, or a GPU's time."""
        return self.backend != "symbolic" and not self.replay
