"""What is sent to an OpenAI-compatible endpoint for a request, and what identifies it."""

import dataclasses
from collections.abc import Mapping

from llm2llm.ids import Json
from llm2llm.params.openai_chat import OpenAIChatParams
from llm2llm.seeding import derive
from llm2llm.teacher.protocol import TeacherRequest


class OpenAIChat:
    """The identity of a backend's requests and their bodies, the same for every backend."""

    def __init__(self, params: OpenAIChatParams, backend: str) -> None:
        self._params = params
        self._backend = backend

    @property
    def identity(self) -> Mapping[str, Json]:
        """Name endpoint, model, revision and sampling."""
        return {
            "backend": self._backend,
            "base_url": self._params.base_url.rstrip("/"),
            "model": self._params.model,
            "revision": self._params.revision,
            "temperature": self._params.temperature,
            "top_p": self._params.top_p,
            "max_tokens": self._params.max_tokens,
            "random_seed": self._params.random_seed,
            "extra_body": self._params.extra_body,
        }

    def identify(self, request: TeacherRequest) -> Mapping[str, Json]:
        """Add the response format that is sent."""
        return {**self.identity, "response_format": self._response_format(request)}

    def body(self, request: TeacherRequest) -> dict[str, Json]:
        """Write the request's body as JSON has it; `extra_body` stands beside it, not in it."""
        body: dict[str, Json] = {
            "model": self._params.model,
            "messages": [dataclasses.asdict(message) for message in request.messages],
            "temperature": self._params.temperature,
            "top_p": self._params.top_p,
            "max_tokens": self._params.max_tokens,
            "seed": self._seed(request),
            "response_format": self._response_format(request),
        }
        return {name: value for name, value in body.items() if value is not None}

    def _response_format(self, request: TeacherRequest) -> Json:
        if request.response_schema is None or self._params.response_format == "none":
            return None
        if self._params.response_format == "json_object":
            return {"type": "json_object"}
        named: dict[str, Json] = {
            "name": "candidate",
            "strict": True,
            "schema": dict(request.response_schema),
        }
        return {"type": "json_schema", "json_schema": named}

    def _seed(self, request: TeacherRequest) -> int | None:
        # One seed for all would give a second draw the first one's answer; 31 bits suit any server.
        if self._params.random_seed is None:
            return None
        number = derive(
            self._params.random_seed, "teacher", request.random_seed, request.seed_id, request.draw
        )
        return number & 0x7FFFFFFF
