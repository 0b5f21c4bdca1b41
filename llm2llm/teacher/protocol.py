"""What the pipeline asks of a teacher, and what a teacher gives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from llm2llm.exceptions import TeacherError
from llm2llm.ids import Json


@dataclass(frozen=True, slots=True)
class LostCall:
    """A call that was billed, or may have been, and brought no answer that can be kept.

    Counts are null where the endpoint reported none.
    """

    reason: str
    n_prompt_tokens: int | None
    n_completion_tokens: int | None


class TeacherOutageError(TeacherError):
    """One request got no answer in the end; asked again later it may get one."""


class TeacherStoppedError(TeacherError):
    """No request makes sense now: key refused, quota used up, no such model, budget reached."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat; `role` is system, user or assistant."""

    role: str
    content: str


Purpose = Literal["write", "solve", "judge", "grade"]


@dataclass(frozen=True, slots=True)
class TeacherRequest:
    """One request: to write an example like a seed, to solve one, or to judge or grade a text.

    `seed_input` and `seed_target` are what the messages show, for a teacher that reads no prose;
    the target is empty where there is something to solve, and `about` is then the request that
    wrote it. Where there is something to judge they are the candidate's input and the test item's,
    `seed_id` names that pair, and `judged` has the ids of candidate and test item. Where a
    student's answer is graded they are input and reference answer of the row that `seed_id` names.
    `draw` counts the earlier requests of the seed, or of the same problem to solve; `random_seed`
    is the run's, but 0 where something is judged or graded. `response_schema` is the JSON schema of
    the answer, null for free text.
    """

    request_id: str
    seed_id: str
    purpose: Purpose
    about: str | None
    draw: int
    random_seed: int
    messages: tuple[Message, ...]
    seed_input: str
    seed_target: str
    response_schema: Mapping[str, Json] | None
    judged: tuple[str, str] | None = None

    @property
    def subject(self) -> str:
        """Say what the request is about, for messages."""
        if self.purpose == "grade":
            return f"an answer to {self.seed_id}"
        if self.judged is None:
            return f"seed {self.seed_id}"
        candidate, item = self.judged
        return f"candidate {candidate} beside test item {item}"


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


def ignore(_call: LostCall) -> None:
    """Do nothing about a lost call."""


class Named(Protocol):
    """What names a teacher and its requests; nothing is connected or loaded for it."""

    @property
    def identity(self) -> Mapping[str, Json]:
        """What determines an answer whatever the request; has the key `backend`."""

    def identify(self, request: TeacherRequest) -> Mapping[str, Json]:
        """Give `identity`, and what the request makes of the teacher (the response's format)."""


class Teacher(Named, Protocol):
    """A source of single answers; `ask` is called from several threads at once."""

    def ask(
        self, request: TeacherRequest, on_lost: Callable[[LostCall], object] = ignore
    ) -> Answer | Refusal:
        """Answer one request; raises TeacherOutageError or TeacherStoppedError.

        `on_lost` is told of each try that was billed in vain, before the next one, and raises
        where there must be none.
        """


class GroupTeacher(Named, Protocol):
    """A source of answers that is asked for many at once."""

    @property
    def group_size(self) -> int:
        """How many requests are answered, and kept, together."""

    def ask_group(self, requests: Sequence[TeacherRequest]) -> list[Answer | Refusal]:
        """Answer all, in their order; raises TeacherStoppedError."""
