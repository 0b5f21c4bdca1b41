"""What the pipeline asks of a teacher, and what a teacher gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from llm2llm.exceptions import TeacherError
from llm2llm.ids import Json


class TeacherOutageError(TeacherError):
    """One request got no answer in the end; asked again later it may get one."""


class TeacherStoppedError(TeacherError):
    """No request makes sense now: key refused, quota used up, no such model, budget reached."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; `role` is system or user."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class TeacherRequest:
    """One request for new examples from one seed.

    `seed_input` and `seed_target` are what the messages show, for a teacher that reads no prose.
    `draw` counts the seed's earlier requests; `random_seed` is the run's.
    """

    request_id: str
    seed_id: str
    draw: int
    random_seed: int
    messages: tuple[Message, ...]
    seed_input: str
    seed_target: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the teacher said, cut short or not; `raw` is the JSON as it arrived.

    `teacher` is the model as reported; `n_attempts` counts the tries it took; `latency_s` is the
    last try's.
    """

    text: str
    finish_reason: str | None
    teacher: str | None
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
    raw: str
    n_attempts: int = 1
    latency_s: float | None = None


# How the reason begins when the endpoint would not take a request as it was sent.
BAD_REQUEST = "bad request"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A permanent failure: the same request would fail again, so it becomes a row.

    A refusal that came as a billed answer keeps its `raw` and its usage.
    """

    reason: str
    teacher: str | None = None
    n_prompt_tokens: int | None = None
    n_completion_tokens: int | None = None
    raw: str | None = None
    n_attempts: int = 1
    latency_s: float | None = None


class Teacher(Protocol):
    """A source of answers; `ask` is called from several threads at once."""

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything but the request that determines an answer; has the key `backend`."""

    def ask(self, request: TeacherRequest) -> Answer | Refusal:
        """Answer one request; raises TeacherOutageError or TeacherStoppedError."""
