"""A teacher behind any OpenAI-compatible chat endpoint, through the official client."""

import dataclasses
import random
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from llm2llm.ids import Json
from llm2llm.params.teacher import OpenAIParams
from llm2llm.teacher.adaptive_limit import AdaptiveLimit
from llm2llm.teacher.lengths import most_completion_tokens
from llm2llm.teacher.openai_body import read_body
from llm2llm.teacher.openai_chat import OpenAIChat
from llm2llm.teacher.openai_client import OpenAIConnection
from llm2llm.teacher.openai_failures import judge
from llm2llm.teacher.protocol import (
    Answer,
    LostCall,
    Refusal,
    TeacherOutageError,
    TeacherRequest,
    TeacherStoppedError,
    ignore,
)
from llm2llm.teacher.rate import RateLimit
from llm2llm.teacher.retry import RetriableError, retrying

if TYPE_CHECKING:
    from openai import OpenAI


class OpenAITeacher:
    """Ask over HTTP; the client is made at the first request, so a full ledger needs no key.

    A request's schema is sent where the params say json_schema. `where` names the section in
    params.yaml. `now` gives seconds since 1970; setting `stop` ends the tries of all threads.
    """

    def __init__(
        self,
        params: OpenAIParams,
        *,
        where: str = "teacher_batch.openai",
        api_key: str | None,
        timeout_s: float,
        max_attempts: int,
        concurrency: int,
        rate: RateLimit,
        now: Callable[[], float],
        sleep: Callable[[float], object],
        stop: threading.Event,
    ) -> None:
        self._params = params
        self._chat = OpenAIChat(params, "openai")
        self._connection = OpenAIConnection(params, where, api_key=api_key, timeout_s=timeout_s)
        self._now = now
        self._stop = stop
        self._limit = AdaptiveLimit(concurrency)
        self._rate = rate
        # Jitter shall differ between processes and reaches no output.
        self._retrying = retrying(
            max_attempts=max_attempts, sleep=sleep, stop=stop, jitter=random.SystemRandom().random
        )

    @property
    def identity(self) -> Mapping[str, Json]:
        """Name endpoint, model, revision and sampling."""
        return self._chat.identity

    def identify(self, request: TeacherRequest) -> Mapping[str, Json]:
        """Add the response format that is sent."""
        return self._chat.identify(request)

    def ask(
        self, request: TeacherRequest, on_lost: Callable[[LostCall], object] = ignore
    ) -> Answer | Refusal:
        """Answer one request, trying again as the policy says."""
        client = self._connection.client()
        body: dict[str, Any] = {
            **self._chat.body(request),
            "extra_body": self._params.extra_body or None,
        }
        # What the limit counts before the true number is known: four bytes a token, as a rule.
        n_tokens = sum(len(message.content) for message in request.messages) // 4
        n_tokens += most_completion_tokens(self.identity) or 0
        n_attempts = 0

        def once() -> Answer | Refusal:
            nonlocal n_attempts
            n_attempts += 1
            try:
                return self._once(client, body, n_tokens, n_attempts)
            except RetriableError as failure:
                if failure.lost:
                    on_lost(failure.lost)
                raise

        try:
            return self._retrying(once)
        except RetriableError as failure:
            wish = failure.retry_after_s
            asked = f", and asks to be left alone for {wish:.0f} s" if wish else ""
            raise TeacherOutageError(
                f"{self._params.base_url} gave no answer in {n_attempts} tries ({failure}){asked}"
            ) from None

    def _once(
        self, client: "OpenAI", body: dict[str, Any], n_tokens: int, n_attempts: int
    ) -> Answer | Refusal:
        from openai import APIError

        hide = self._connection.hide
        ticket = self._limit.enter()
        complained = succeeded = False
        try:
            self._rate.enter(n_tokens, self._stop)
            if self._stop.is_set():
                raise RetriableError("stopped")
            started = self._now()
            got = client.chat.completions.with_raw_response.create(**body)
            # The key goes first, so that it is in no part of what is read.
            outcome = read_body(
                self._connection.hide_bytes(got.content),
                n_attempts=n_attempts,
                latency_s=max(0.0, self._now() - started),
            )
            succeeded = True
        except APIError as failure:
            verdict = judge(failure, self._now(), hide, self._connection.no_key)
            if isinstance(verdict, Refusal):
                outcome = dataclasses.replace(verdict, n_attempts=n_attempts)
            elif isinstance(verdict, RetriableError):
                complained = verdict.busy
                raise verdict from None
            else:
                raise TeacherStoppedError(f"{self._params.base_url}: {verdict}") from None
        finally:
            self._limit.leave(ticket, complained=complained, succeeded=succeeded)
        return outcome
