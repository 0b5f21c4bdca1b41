"""Turn what a teacher gave into ledger entries, with their cost."""

import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Protocol

from llm2llm.ids import Json
from llm2llm.ledger.database import Charge, Entry, Ledger
from llm2llm.ledger.identity import JUDGING, describe_request
from llm2llm.teacher.budget import Prices
from llm2llm.teacher.protocol import Answer, LostCall, Refusal, TeacherRequest


def describe(request: TeacherRequest, teacher: Mapping[str, Json]) -> dict[str, Json]:
    """Gather the identity of a request to the teacher that `teacher` identifies."""
    return describe_request(
        messages=[dataclasses.asdict(message) for message in request.messages],
        seed_input=request.seed_input,
        seed_target=request.seed_target,
        random_seed=request.random_seed,
        draw=request.draw,
        about=request.about,
        purpose=request.purpose if request.purpose in JUDGING else None,
        teacher=teacher,
    )


class Requested(Protocol):
    """What an entry says about who asked, besides the request's identity."""

    @property
    def request_id(self) -> str:
        """The hash of the identity."""

    @property
    def seed_id(self) -> str:
        """The seed that the request is about."""

    @property
    def draw(self) -> int:
        """How many requests the seed has had before."""


class Recorder:
    """Make entries; `prices` None is a teacher that costs nothing, `now` is seconds since 1970."""

    def __init__(self, ledger: Ledger, prices: Prices | None, now: Callable[[], float]) -> None:
        self._ledger = ledger
        self._prices = prices
        self._now = now

    def record(
        self, request: Requested, description: str, backend: str, outcome: Answer | Refusal
    ) -> Entry:
        """Make the entry of an outcome."""
        answer = outcome if isinstance(outcome, Answer) else None
        return Entry(
            request_id=request.request_id,
            seed_id=request.seed_id,
            draw=request.draw,
            backend=backend,
            request=description,
            status="failed" if answer is None else "answered",
            text=None if answer is None else answer.text,
            finish_reason=None if answer is None else answer.finish_reason,
            failure=outcome.reason if isinstance(outcome, Refusal) else None,
            raw=outcome.raw,
            teacher=outcome.teacher,
            n_prompt_tokens=outcome.n_prompt_tokens,
            n_completion_tokens=outcome.n_completion_tokens,
            n_attempts=outcome.n_attempts,
            latency_s=outcome.latency_s,
            cost=self._cost(outcome.n_prompt_tokens, outcome.n_completion_tokens),
            created=self.moment(),
        )

    def charge_lost(self, request: Requested, lost: tuple[LostCall, ...]) -> None:
        """Keep the cost of billed calls that brought no answer."""
        self._ledger.charge(self.charges(request, lost))

    def charges(self, request: Requested, lost: tuple[LostCall, ...]) -> list[Charge]:
        """Price billed calls that brought no answer."""
        return [
            Charge(
                request_id=request.request_id,
                reason=call.reason,
                n_prompt_tokens=call.n_prompt_tokens,
                n_completion_tokens=call.n_completion_tokens,
                cost=self._cost(call.n_prompt_tokens, call.n_completion_tokens),
                created=self.moment(),
            )
            for call in lost
        ]

    def moment(self) -> str:
        """Write the time as the ledger does."""
        return datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds")

    def _cost(self, n_prompt_tokens: int | None, n_completion_tokens: int | None) -> float | None:
        if self._prices is None:
            return 0.0
        return self._prices.cost(n_prompt_tokens, n_completion_tokens)
