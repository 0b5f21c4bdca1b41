"""A teacher behind any OpenAI-compatible chat endpoint, through the official client."""

import dataclasses
import random
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from llm2llm.ids import Json
from llm2llm.params.teacher_batch import OpenAIParams
from llm2llm.seeding import derive
from llm2llm.teacher.adaptive_limit import AdaptiveLimit
from llm2llm.teacher.openai_body import read_body
from llm2llm.teacher.openai_failures import judge
from llm2llm.teacher.protocol import (
    Answer,
    Refusal,
    TeacherOutageError,
    TeacherRequest,
    TeacherStoppedError,
)
from llm2llm.teacher.retry import RetriableError, retrying

if TYPE_CHECKING:
    from openai import OpenAI

# The client insists on a key; endpoints on one's own machine do not look at it.
_NO_KEY = "none"


class OpenAITeacher:
    """Ask over HTTP; the client is made at the first request, so a full ledger needs no key.

    `response_schema` is the JSON schema of an answer, sent where the params say json_schema;
    `now` gives seconds since 1970; setting `stop` ends the tries of all threads.
    """

    def __init__(
        self,
        params: OpenAIParams,
        *,
        response_schema: Mapping[str, Json],
        api_key: str | None,
        timeout_s: float,
        max_attempts: int,
        concurrency: int,
        now: Callable[[], float],
        sleep: Callable[[float], object],
        stop: threading.Event,
    ) -> None:
        self._params = params
        self._response_format = _response_format(params, response_schema)
        self._api_key = (api_key or "").strip()
        self._timeout_s = timeout_s
        self._now = now
        self._stop = stop
        self._limit = AdaptiveLimit(concurrency)
        # Jitter shall differ between processes and reaches no output.
        self._retrying = retrying(
            max_attempts=max_attempts, sleep=sleep, stop=stop, jitter=random.SystemRandom().random
        )
        self._client: OpenAI | None = None
        self._making = threading.Lock()

    @property
    def identity(self) -> Mapping[str, Json]:
        """Name endpoint, model, revision, sampling and schema."""
        return {
            "backend": "openai",
            "base_url": self._params.base_url.rstrip("/"),
            "model": self._params.model,
            "revision": self._params.revision,
            "temperature": self._params.temperature,
            "top_p": self._params.top_p,
            "max_tokens": self._params.max_tokens,
            "random_seed": self._params.random_seed,
            "response_format": self._response_format,
            "extra_body": self._params.extra_body,
        }

    def ask(self, request: TeacherRequest) -> Answer | Refusal:
        """Answer one request, trying again as the policy says."""
        client = self._connected()
        body = self._body(request)
        n_attempts = 0

        def once() -> Answer | Refusal:
            nonlocal n_attempts
            n_attempts += 1
            return self._once(client, body, n_attempts)

        try:
            return self._retrying(once)
        except RetriableError as failure:
            wish = failure.retry_after_s
            asked = f", and asks to be left alone for {wish:.0f} s" if wish else ""
            raise TeacherOutageError(
                f"{self._params.base_url} gave no answer in {n_attempts} tries"
                f" ({self._hide(str(failure))}){asked}"
            ) from None

    def _once(self, client: "OpenAI", body: dict[str, Any], n_attempts: int) -> Answer | Refusal:
        from openai import APIError

        ticket = self._limit.enter()
        complained = succeeded = False
        try:
            if self._stop.is_set():
                raise RetriableError("stopped")
            started = self._now()
            got = client.chat.completions.with_raw_response.create(**body)
            outcome = read_body(
                got.content, n_attempts=n_attempts, latency_s=max(0.0, self._now() - started)
            )
            succeeded = True
        except APIError as failure:
            verdict = judge(failure, self._now())
            if isinstance(verdict, Refusal):
                outcome = dataclasses.replace(verdict, n_attempts=n_attempts)
            elif isinstance(verdict, RetriableError):
                complained = verdict.busy
                raise verdict from None
            else:
                raise TeacherStoppedError(
                    self._hide(f"{self._params.base_url}: {verdict}")
                ) from None
        finally:
            self._limit.leave(ticket, complained=complained, succeeded=succeeded)
        if isinstance(outcome, Answer):
            return dataclasses.replace(outcome, raw=self._hide(outcome.raw))
        raw = None if outcome.raw is None else self._hide(outcome.raw)
        return dataclasses.replace(outcome, reason=self._hide(outcome.reason), raw=raw)

    def _body(self, request: TeacherRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._params.model,
            "messages": [dataclasses.asdict(message) for message in request.messages],
            "temperature": self._params.temperature,
            "top_p": self._params.top_p,
            "max_tokens": self._params.max_tokens,
            "seed": self._seed(request),
            "response_format": self._response_format,
            "extra_body": self._params.extra_body or None,
        }
        return {name: value for name, value in body.items() if value is not None}

    def _seed(self, request: TeacherRequest) -> int | None:
        # One seed for all would give a second draw the first one's answer; 31 bits suit any server.
        if self._params.random_seed is None:
            return None
        number = derive(
            self._params.random_seed, "teacher", request.random_seed, request.seed_id, request.draw
        )
        return number & 0x7FFFFFFF

    def _connected(self) -> "OpenAI":
        from openai import OpenAI

        variable = self._params.api_key_env
        if variable is not None and not self._api_key:
            raise TeacherStoppedError(
                f"no API key: the environment variable {variable} that"
                " `teacher_batch.openai.api_key_env` names is not set; `export` it, or set"
                " api_key_env to null for an endpoint without keys"
            )
        if not (self._api_key.isascii() and self._api_key.isprintable()):
            raise TeacherStoppedError(
                f"the environment variable {variable} holds what cannot be a key"
            )
        with self._making:
            if self._client is None:
                self._client = OpenAI(
                    base_url=self._params.base_url,
                    api_key=self._api_key or _NO_KEY,
                    timeout=self._timeout_s,
                    max_retries=0,
                )
            return self._client

    def _hide(self, text: str) -> str:
        """Blot the key out of a text from outside: some endpoints repeat it."""
        return text.replace(self._api_key, "***") if self._api_key else text


def _response_format(params: OpenAIParams, schema: Mapping[str, Json]) -> Json:
    if params.response_format == "none":
        return None
    if params.response_format == "json_object":
        return {"type": "json_object"}
    named: dict[str, Json] = {"name": "candidate", "strict": True, "schema": schema}
    return {"type": "json_schema", "json_schema": named}
