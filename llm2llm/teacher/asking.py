"""Ask a teacher one request per thread, each outcome kept before it counts."""

import threading
from collections.abc import Callable
from typing import Protocol

from llm2llm.exceptions import Llm2llmError
from llm2llm.ids import canonical_json
from llm2llm.ledger.database import Entry, Ledger
from llm2llm.teacher.budget import Budget
from llm2llm.teacher.entries import Recorder, describe
from llm2llm.teacher.lengths import most_completion_tokens, most_prompt_tokens
from llm2llm.teacher.protocol import (
    Answer,
    LostCall,
    Refusal,
    Teacher,
    TeacherOutageError,
    TeacherRequest,
)
from llm2llm.teacher.requests import Requests
from llm2llm.teacher.workers import run_all

# So many requests in a row without an answer, per thread: then the endpoint is down, and the
# others would only wait for it one after the other.
_OUTAGES_PER_THREAD = 2
_OUTAGES_AT_LEAST = 8

Settle = Callable[[TeacherRequest, Entry | Llm2llmError], None]


class Asking(Protocol):
    """A way to get entries for requests that the ledger lacked a moment ago."""

    def ask_all(self, requests: Requests, settle: Settle, tick: Callable[[int], None]) -> None:
        """Hand every outcome to `settle`, in any order, from the calling thread.

        Requests that were never begun are not settled. `tick` is told now and then how many are
        in flight.
        """


class ThreadedAsking:
    """Up to `concurrency` requests at once, within a budget (None: free).

    An interruption waits `grace_s` for answers under way; `stop` is set when nothing more shall
    be sent.
    """

    def __init__(
        self,
        teacher: Teacher,
        ledger: Ledger,
        recorder: Recorder,
        *,
        budget: Budget | None,
        concurrency: int,
        grace_s: float,
        stop: threading.Event,
    ) -> None:
        self._teacher = teacher
        self._ledger = ledger
        self._recorder = recorder
        self._budget = budget
        self._concurrency = concurrency
        self._grace_s = grace_s
        self._stop = stop
        self._n_outages = 0
        self._is_down = False

    def ask_all(self, requests: Requests, settle: Settle, tick: Callable[[int], None]) -> None:
        """Ask on threads; after many outages in a row, or a stop, nothing more is begun."""
        self._n_outages, self._is_down = 0, False
        run_all(
            requests,
            self._ask_one,
            settle,
            tick,
            n_threads=self._concurrency,
            stop=self._stop,
            grace_s=self._grace_s,
        )
        if self._is_down:
            # Only this round was given up; whoever accepts that may go on with another.
            self._stop.clear()

    def _ask_one(self, request: TeacherRequest) -> Entry:
        try:
            entry = self._ledger.once(request.request_id, lambda: self._ask(request), self._pause)
        except TeacherOutageError:
            self._n_outages += 1
            if self._n_outages >= max(_OUTAGES_AT_LEAST, _OUTAGES_PER_THREAD * self._concurrency):
                self._is_down |= not self._stop.is_set()
                self._stop.set()
            raise
        except Llm2llmError:
            self._stop.set()
            raise
        self._n_outages = 0
        return entry

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise TeacherOutageError("stopped while another process was asking")

    def _ask(self, request: TeacherRequest) -> Entry:
        identity = self._teacher.identify(request)
        description = canonical_json(describe(request, identity))
        outcome = self._within_budget(request, description, most_completion_tokens(identity))
        return self._recorder.record(request, description, str(identity["backend"]), outcome)

    def _within_budget(
        self, request: TeacherRequest, description: str, most: int | None
    ) -> Answer | Refusal:
        if self._stop.is_set():
            raise TeacherOutageError("stopped before it was sent")
        if self._budget is None:
            return self._teacher.ask(request, lambda call: self._charge(request, call))
        with self._budget.request(most_prompt_tokens(description), most) as held:
            held.outcome = self._teacher.ask(request, lambda call: self._charge(request, call))
            return held.outcome

    def _charge(self, request: TeacherRequest, call: LostCall) -> None:
        self._recorder.charge_lost(request, (call,))
        if self._budget is not None:
            self._budget.lose(call)
