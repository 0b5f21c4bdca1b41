"""Section `teacher_batch`: which teacher is asked, and how."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from llm2llm.params.openai_chat import OpenAIChatParams
from llm2llm.params.section import Section
from llm2llm.params.teacher_openai_batch import OpenAIBatchParams
from llm2llm.params.teacher_vllm import VllmParams


class OpenAIParams(OpenAIChatParams):
    """An OpenAI-compatible chat endpoint, asked one request at a time."""


class TeacherBatchParams(Section):
    """`attempts` bounds the requests for one seed in one iteration.

    With `replay` answers come from the ledger only, and a miss ends the stage. Up to
    `accepted_failures` of the requests (a share) may stay without an answer and become failed
    rows. With `solves` above 0 the teacher solves each candidate so many times, and more than
    half must agree with it.
    """

    backend: Literal["symbolic", "openai", "openai-batch", "vllm"]
    replay: bool
    attempts: Annotated[int, Field(ge=1)]
    solves: Annotated[int, Field(ge=0, le=99)]
    accepted_failures: Annotated[float, Field(ge=0, lt=1)]
    openai: OpenAIParams
    openai_batch: OpenAIBatchParams | None
    vllm: VllmParams | None

    @model_validator(mode="after")
    def _has_its_section(self) -> "TeacherBatchParams":
        name = self.backend.replace("-", "_")
        if name in ("openai_batch", "vllm") and getattr(self, name) is None:
            raise ValueError(
                f"{name}: a section, as `backend` names it; docs/teacher.md has one to copy"
            )
        return self
