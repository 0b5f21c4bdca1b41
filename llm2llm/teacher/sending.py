"""Get answers to requests: from the ledger, else from the teacher, each at most once."""

import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from llm2llm.exceptions import CountError, Llm2llmError, TeacherError
from llm2llm.ids import Json, canonical_json
from llm2llm.ledger.database import Entry, Ledger
from llm2llm.ledger.identity import describe_request
from llm2llm.teacher.budget import Budget
from llm2llm.teacher.protocol import (
    BAD_REQUEST,
    Answer,
    Refusal,
    Teacher,
    TeacherOutageError,
    TeacherRequest,
)
from llm2llm.teacher.workers import run_all

# So many requests in a row without an answer, per thread: then the endpoint is down, and the
# others would only wait for it one after the other.
_OUTAGES_PER_THREAD = 2
_OUTAGES_AT_LEAST = 8
# Fewer bad requests than this may well be the requests' own fault.
_REFUSED_AT_LEAST = 3


def describe(request: TeacherRequest, identity: Mapping[str, Json]) -> dict[str, Json]:
    """Gather the identity of a request to the teacher of that identity."""
    return describe_request(
        messages=[dataclasses.asdict(message) for message in request.messages],
        seed_input=request.seed_input,
        seed_target=request.seed_target,
        random_seed=request.random_seed,
        draw=request.draw,
        teacher=identity,
    )


class Sender:
    """Answer requests through a ledger, a budget (None: free) and threads.

    With `replay` nothing is sent. `may_send` is told how many requests the ledger lacks, and
    raises where they must not be sent; `say` gets a line for people. `now` gives seconds since
    1970. An interruption waits `grace_s` for answers under way; `stop` is set when nothing more
    shall be sent.
    """

    def __init__(
        self,
        teacher: Teacher,
        ledger: Ledger,
        *,
        budget: Budget | None,
        replay: bool,
        concurrency: int,
        grace_s: float,
        say: Callable[[str], None],
        may_send: Callable[[int], None],
        now: Callable[[], float],
        stop: threading.Event,
    ) -> None:
        self._teacher = teacher
        self.identity = teacher.identity
        self._ledger = ledger
        self._budget = budget
        self._replay = replay
        self._concurrency = concurrency
        self._grace_s = grace_s
        self._say = say
        self._may_send = may_send
        self._now = now
        self._stop = stop
        self._n_outages = 0

    def send(
        self, requests: Sequence[TeacherRequest], on_progress: Callable[[int, int], None]
    ) -> list[Entry]:
        """Give the entry of each request, in order.

        Raises TeacherError when some have none in the end; the others are then in the ledger.
        """
        known = dict(self._ledger.find(request.request_id for request in requests))
        missing = [request for request in requests if request.request_id not in known]
        on_progress(len(known), len(requests))
        if missing and self._replay:
            first = missing[0]
            raise TeacherError(
                f"replay: the ledger lacks {len(missing)} of {len(requests)} requests, the first"
                f" {first.request_id} (seed {first.seed_id}, draw {first.draw}); set"
                " `teacher_batch.replay: false` to ask the teacher"
            )
        if missing:
            self._may_send(len(missing))
            self._say(
                f"{len(requests)} requests, {len(known)} of them in the ledger,"
                f" {len(missing)} to send"
            )
            self._ask_all(missing, known, on_progress, len(requests))
        return [known[request.request_id] for request in requests]

    def _ask_all(
        self,
        missing: list[TeacherRequest],
        known: dict[str, Entry],
        on_progress: Callable[[int, int], None],
        total: int,
    ) -> None:
        failures: list[Llm2llmError] = []

        def settle(request: TeacherRequest, outcome: Entry | Llm2llmError) -> None:
            if isinstance(outcome, Entry):
                known[request.request_id] = outcome
                on_progress(len(known), total)
            elif isinstance(outcome, TeacherOutageError):
                failures.append(outcome)
            else:
                # What stops all comes first in the message.
                failures.insert(0, outcome)

        run_all(
            missing,
            self._ask_one,
            settle,
            n_threads=self._concurrency,
            stop=self._stop,
            grace_s=self._grace_s,
        )
        if not failures and len(known) == total:
            self._refuse_what_cannot_be_right([known[request.request_id] for request in missing])
            return
        kept = f"{len(known)} of {total} requests are answered and kept, {total - len(known)} miss"
        if not failures:
            raise CountError(f"{kept} without a reason; run `dvc repro` again to ask for them")
        first = failures[0]
        if not isinstance(first, TeacherError):
            raise first
        raise TeacherError(f"{first}. {kept}; `dvc repro` goes on from there") from None

    def _refuse_what_cannot_be_right(self, entries: list[Entry]) -> None:
        """Raise TeacherError, and forget the refusals, when the endpoint took no request at all.

        Then the fault is in the params, not in the requests, and mending it must have an effect.
        """
        if len(entries) < _REFUSED_AT_LEAST:
            return
        if all((entry.failure or "").startswith(BAD_REQUEST) for entry in entries):
            self._ledger.forget_failed([entry.request_id for entry in entries])
            raise TeacherError(
                f"the endpoint refused all {len(entries)} requests, the first as"
                f" {entries[0].failure}; mend `teacher_batch.openai` in params.yaml (often"
                " `response_format` or `max_tokens`) and run `dvc repro` again"
            )

    def _ask_one(self, request: TeacherRequest) -> Entry:
        try:
            entry = self._ledger.once(request.request_id, lambda: self._ask(request), self._pause)
        except TeacherOutageError:
            self._n_outages += 1
            if self._n_outages >= max(_OUTAGES_AT_LEAST, _OUTAGES_PER_THREAD * self._concurrency):
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
        description = canonical_json(describe(request, self.identity))
        outcome = self._within_budget(request, description)
        return Entry(
            request_id=request.request_id,
            seed_id=request.seed_id,
            draw=request.draw,
            backend=str(self.identity["backend"]),
            request=description,
            status="answered" if isinstance(outcome, Answer) else "failed",
            text=outcome.text if isinstance(outcome, Answer) else None,
            finish_reason=outcome.finish_reason if isinstance(outcome, Answer) else None,
            failure=outcome.reason if isinstance(outcome, Refusal) else None,
            raw=outcome.raw,
            teacher=outcome.teacher,
            n_prompt_tokens=outcome.n_prompt_tokens,
            n_completion_tokens=outcome.n_completion_tokens,
            n_attempts=outcome.n_attempts,
            latency_s=outcome.latency_s,
            cost=self._cost(outcome),
            created=datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds"),
        )

    def _cost(self, outcome: Answer | Refusal) -> float | None:
        if self._budget is None:
            return 0.0
        return self._budget.prices.cost(outcome.n_prompt_tokens, outcome.n_completion_tokens)

    def _within_budget(self, request: TeacherRequest, description: str) -> Answer | Refusal:
        if self._stop.is_set():
            raise TeacherOutageError("stopped before it was sent")
        if self._budget is None:
            return self._teacher.ask(request)
        # A token is at least one byte, and the description holds all that is sent.
        most_prompt_tokens = len(description.encode())
        with self._budget.request(most_prompt_tokens, self._most_completion_tokens()) as charge:
            charge.outcome = self._teacher.ask(request)
            return charge.outcome

    def _most_completion_tokens(self) -> int | None:
        for place in (self.identity, self.identity.get("extra_body")):
            if isinstance(place, Mapping):
                for name in ("max_tokens", "max_completion_tokens"):
                    value = place.get(name)
                    if type(value) is int:
                        return value
        return None
