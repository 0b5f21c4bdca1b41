"""The symbolic teacher: rewrites worked arithmetic problems without a model."""

import json
from collections.abc import Callable, Mapping

from llm2llm.ids import Json
from llm2llm.seeding import stream
from llm2llm.tasks.sections import ResponseFormat
from llm2llm.teacher.protocol import Answer, LostCall, Refusal, TeacherRequest, ignore
from llm2llm.teacher.rewrite import rewrite
from llm2llm.teacher.worked_problem import Declined

# Raised whenever a rewrite may come out differently: it is part of every request's identity.
VERSION = 1


class SymbolicTeacher:
    """Answers like an LLM asked for a JSON object: one new problem with its worked solution.

    It uses the seed alone, as the messages show it, and declines what it cannot rewrite safely.
    """

    def __init__(self, response: ResponseFormat) -> None:
        self._response = response

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything but the request that determines an answer."""
        return {
            "backend": "symbolic",
            "model": "symbolic",
            "revision": str(VERSION),
            "response": self._response.model_dump(),
        }

    def identify(self, request: TeacherRequest) -> Mapping[str, Json]:  # noqa: ARG002 - protocol
        """Give the identity, whatever the request."""
        return self.identity

    def ask(
        self,
        request: TeacherRequest,
        on_lost: Callable[[LostCall], object] = ignore,  # noqa: ARG002 - nothing is billed
    ) -> Answer | Refusal:
        """Rewrite the request's seed; another draw gives another problem."""
        teacher = f"symbolic/{VERSION}"
        if request.purpose != "write":
            return Refusal("declined: it writes problems and solves none", teacher)
        if self._response.target is None:
            return Refusal("declined: no worked solution to rewrite in this task", teacher)
        rng = stream(request.random_seed, "symbolic", request.seed_id, request.draw)
        try:
            new = rewrite(request.seed_input, request.seed_target, rng)
        except Declined as reason:
            return Refusal(f"declined: {reason}", teacher)
        fields = {self._response.input: new.question, self._response.target: new.solution}
        text = json.dumps(fields, ensure_ascii=False)
        return Answer(text, "stop", teacher, None, None, text)
