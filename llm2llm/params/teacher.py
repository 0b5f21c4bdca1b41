"""Which teacher a section of params.yaml asks, whatever it is asked for."""

from typing import ClassVar, Literal

from pydantic import model_validator

from llm2llm.params.openai_chat import OpenAIChatParams
from llm2llm.params.section import Section
from llm2llm.params.teacher_openai_batch import OpenAIBatchParams
from llm2llm.params.teacher_vllm import VllmParams


class OpenAIParams(OpenAIChatParams):
    """An OpenAI-compatible chat endpoint, asked one request at a time."""


class TeacherParams(Section):
    """A backend, of which the section that it names must be there.

    With `replay` answers come from the ledger only, and a miss ends the stage. `where` is the
    section's name in params.yaml, for messages.
    """

    where: ClassVar[str]

    backend: Literal["symbolic", "openai", "openai-batch", "vllm"]
    replay: bool
    openai: OpenAIParams | None
    openai_batch: OpenAIBatchParams | None
    vllm: VllmParams | None

    @property
    def accepted_share(self) -> float:
        """The share of the requests that may stay without an answer."""
        return 0.0

    @model_validator(mode="after")
    def _has_its_section(self) -> "TeacherParams":
        name = self.backend.replace("-", "_")
        if name != "symbolic" and getattr(self, name) is None:
            raise ValueError(
                f"{name}: a section, as `backend` names it; docs/teacher.md has one to copy"
            )
        return self
