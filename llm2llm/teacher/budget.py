"""The budget: no request is sent that could take the total beyond what was allowed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llm2llm.ledger.database import Spent
from llm2llm.teacher.protocol import Answer, LostCall, Refusal, TeacherStoppedError


@dataclass(frozen=True, slots=True)
class Prices:
    """Prices per million tokens; null is unknown."""

    prompt: float | None
    completion: float | None

    def cost(self, n_prompt_tokens: int | None, n_completion_tokens: int | None) -> float | None:
        """Price an answer; null where a price or a count is unknown."""
        if self.prompt is None or self.completion is None:
            return None
        if n_prompt_tokens is None or n_completion_tokens is None:
            return None
        return (n_prompt_tokens * self.prompt + n_completion_tokens * self.completion) / 1e6


@dataclass(frozen=True, slots=True)
class Most:
    """The most that one request can take: tokens of both kinds, and money."""

    n_tokens: int = 0
    cost: float = 0.0


@dataclass(slots=True)
class Reservation:
    """Room held for one request.

    Whoever holds it says what came: an outcome, or billed calls without one.
    """

    most: Most
    outcome: Answer | Refusal | None = None
    lost: tuple[LostCall, ...] = ()


class Budget:
    """Limits over all paid requests: those in the ledger when this began, and those since.

    A request reserves the most it can cost before it is sent. Null is no limit.
    """

    def __init__(
        self,
        *,
        max_requests: int | None,
        max_tokens: int | None,
        max_cost: float | None,
        prices: Prices,
        spent: Spent,
    ) -> None:
        self._max_requests = max_requests
        self._max_tokens = max_tokens
        self._max_cost = max_cost
        self.prices = prices
        self._n_requests = spent.n_requests
        self._n_tokens = spent.n_prompt_tokens + spent.n_completion_tokens
        # What was paid stays what it was; rows whose price was unknown count at today's.
        unpriced = prices.cost(spent.n_unpriced_prompt_tokens, spent.n_unpriced_completion_tokens)
        self._cost = spent.cost + (unpriced or 0.0)
        self._unpriced = unpriced or 0.0
        self._n_unknown = spent.n_unknown
        self._n_in_flight = 0
        self._reserved = Most()
        self._changed = threading.Condition()

    @contextmanager
    def request(
        self, n_prompt_tokens: int, n_completion_tokens: int | None
    ) -> Iterator[Reservation]:
        """Hold room for one request; waits while only requests in flight stand in the way.

        Raises TeacherStoppedError where the limits do not admit it.
        """
        most = self._most(n_prompt_tokens, n_completion_tokens)
        with self._changed:
            while problem := self._problem(most):
                if not self._n_in_flight:
                    raise TeacherStoppedError(problem)
                self._changed.wait()
            held = self._hold(most)
        try:
            yield held
        finally:
            self.settle(held)

    def reserve(self, n_prompt_tokens: int, n_completion_tokens: int | None) -> Reservation:
        """Hold room for one request until `settle`; raises TeacherStoppedError without waiting."""
        most = self._most(n_prompt_tokens, n_completion_tokens)
        with self._changed:
            if problem := self._problem(most):
                raise TeacherStoppedError(problem)
            return self._hold(most)

    def occupy(self, n_prompt_tokens: int, n_completion_tokens: int | None) -> Reservation:
        """Hold room for a request that was sent already, whatever the limits say."""
        try:
            most = self._most(n_prompt_tokens, n_completion_tokens)
        except TeacherStoppedError:
            most = Most()
        with self._changed:
            return self._hold(most)

    def settle(self, held: Reservation) -> None:
        """Give the room back and count what the request really took."""
        with self._changed:
            self._n_in_flight -= 1
            self._reserved = Most(
                self._reserved.n_tokens - held.most.n_tokens, self._reserved.cost - held.most.cost
            )
            for call in held.lost:
                self._n_requests += 1
                self._spend(call.n_prompt_tokens, call.n_completion_tokens)
            if held.outcome is not None:
                self._n_requests += 1
                known = self._spend(held.outcome.n_prompt_tokens, held.outcome.n_completion_tokens)
                self._n_unknown += isinstance(held.outcome, Answer) and not known
            self._changed.notify_all()

    def lose(self, call: LostCall) -> None:
        """Count a try that was billed in vain.

        Raises TeacherStoppedError where the limits do not admit another one like it.
        """
        with self._changed:
            self._n_requests += 1
            self._spend(call.n_prompt_tokens, call.n_completion_tokens)
            # What is held is held for the next try.
            if problem := self._problem(Most(), n_more=0):
                raise TeacherStoppedError(problem)

    def _hold(self, most: Most) -> Reservation:
        self._n_in_flight += 1
        self._reserved = Most(
            self._reserved.n_tokens + most.n_tokens, self._reserved.cost + most.cost
        )
        return Reservation(most)

    def _spend(self, n_prompt_tokens: int | None, n_completion_tokens: int | None) -> bool:
        self._n_tokens += (n_prompt_tokens or 0) + (n_completion_tokens or 0)
        self._cost += self.prices.cost(n_prompt_tokens or 0, n_completion_tokens or 0) or 0.0
        return n_prompt_tokens is not None and n_completion_tokens is not None

    def _most(self, n_prompt_tokens: int, n_completion_tokens: int | None) -> Most:
        if self._max_cost is None and self._max_tokens is None:
            return Most()
        if n_completion_tokens is None:
            raise TeacherStoppedError(
                "`runtime.max_cost` and `max_tokens` cannot be kept while the length of an answer"
                " is not limited: set `max_tokens` of the teacher's own section in params.yaml, or"
                " both limits to null"
            )
        return Most(
            n_prompt_tokens + n_completion_tokens,
            self.prices.cost(n_prompt_tokens, n_completion_tokens) or 0.0,
        )

    def _problem(self, most: Most, n_more: int = 1) -> str | None:
        if self._max_requests is not None:
            n_requests = self._n_requests + self._n_in_flight
            if n_requests + n_more > self._max_requests:
                return (
                    f"budget reached: {n_requests} requests sent in all,"
                    f" `runtime.max_requests` is {self._max_requests}; raise it"
                )
        if self._max_cost is None and self._max_tokens is None:
            return None
        if self._n_unknown:
            return (
                f"{self._n_unknown} answers came without a count of tokens, so `runtime.max_cost`"
                " and `max_tokens` cannot be kept; set them to null and use `max_requests`"
            )
        if self._max_tokens is not None:
            n_tokens = self._n_tokens + self._reserved.n_tokens
            if n_tokens + most.n_tokens > self._max_tokens:
                return (
                    f"budget reached: {self._n_tokens} tokens in all and the next request may take"
                    f" {most.n_tokens}, `runtime.max_tokens` is {self._max_tokens}; raise it"
                )
        if self._max_cost is None:
            return None
        if self._cost + self._reserved.cost + most.cost > self._max_cost:
            said = ""
            if self._unpriced:
                said = (
                    f" ({self._unpriced:.4f} of it for answers bought before prices were set, at"
                    " the prices now set)"
                )
            return (
                f"budget reached: {self._cost:.4f} spent in all{said} and the next request may cost"
                f" {most.cost:.4f}, `runtime.max_cost` is {self._max_cost}; raise it"
            )
        return None
