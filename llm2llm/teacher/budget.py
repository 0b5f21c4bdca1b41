"""The budget: no request is sent that could take the total beyond what was allowed."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llm2llm.ledger.database import Spent
from llm2llm.teacher.protocol import Answer, Refusal, TeacherStoppedError


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


@dataclass(slots=True)
class Charge:
    """What one request turned out to be; left untouched where no answer came."""

    outcome: Answer | Refusal | None = None


class Budget:
    """Limits over all paid requests: those in the ledger when this began, and those since.

    A request reserves the most it can cost before it is sent. Where only requests in flight stand
    in the way, `request` waits for what they really cost.
    """

    def __init__(
        self, *, max_requests: int | None, max_cost: float | None, prices: Prices, spent: Spent
    ) -> None:
        self._max_requests = max_requests
        self._max_cost = max_cost
        self.prices = prices
        self._n_requests = spent.n_requests
        self._cost = prices.cost(spent.n_prompt_tokens, spent.n_completion_tokens) or 0.0
        self._n_unknown = spent.n_unknown
        self._n_in_flight = 0
        self._reserved = 0.0
        self._changed = threading.Condition()

    @contextmanager
    def request(self, n_prompt_tokens: int, n_completion_tokens: int | None) -> Iterator[Charge]:
        """Hold the room for one request of at most so many tokens; raises TeacherStoppedError."""
        most = self._most(n_prompt_tokens, n_completion_tokens)
        with self._changed:
            while problem := self._problem(most):
                if not self._n_in_flight:
                    raise TeacherStoppedError(problem)
                self._changed.wait()
            self._n_in_flight += 1
            self._reserved += most
        charge = Charge()
        try:
            yield charge
        finally:
            with self._changed:
                self._n_in_flight -= 1
                self._reserved -= most
                self._settle(charge.outcome)
                self._changed.notify_all()

    def _most(self, n_prompt_tokens: int, n_completion_tokens: int | None) -> float:
        if self._max_cost is None:
            return 0.0
        if n_completion_tokens is None:
            raise TeacherStoppedError(
                "`runtime.max_cost` cannot be kept while the length of an answer is not limited:"
                " set `teacher_batch.openai.max_tokens`, or `max_cost` to null"
            )
        return self.prices.cost(n_prompt_tokens, n_completion_tokens) or 0.0

    def _problem(self, most: float) -> str | None:
        if self._max_requests is not None:
            n_requests = self._n_requests + self._n_in_flight
            if n_requests >= self._max_requests:
                return (
                    f"budget reached: {n_requests} requests sent in all,"
                    f" `runtime.max_requests` is {self._max_requests}; raise it"
                )
        if self._max_cost is None:
            return None
        if self._n_unknown:
            return (
                f"{self._n_unknown} answers came without a count of tokens, so `runtime.max_cost`"
                " cannot be kept; set it to null and use `max_requests`"
            )
        if self._cost + self._reserved + most > self._max_cost:
            return (
                f"budget reached: {self._cost:.4f} spent in all and the next request may cost"
                f" {most:.4f}, `runtime.max_cost` is {self._max_cost}; raise it"
            )
        return None

    def _settle(self, outcome: Answer | Refusal | None) -> None:
        if outcome is None:
            return
        self._n_requests += 1
        cost = self.prices.cost(outcome.n_prompt_tokens, outcome.n_completion_tokens)
        self._cost += cost or 0.0
        if isinstance(outcome, Answer) and cost is None:
            self._n_unknown += 1
