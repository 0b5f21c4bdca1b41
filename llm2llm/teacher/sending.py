"""Get answers to requests: from the ledger, else from the teacher, each at most once."""

import dataclasses
from array import array
from collections.abc import Callable, Iterable, Mapping

from llm2llm.exceptions import CountError, Llm2llmError, TeacherError
from llm2llm.ids import Json
from llm2llm.ledger.database import Entry, Ledger
from llm2llm.ledger.identity import request_id
from llm2llm.teacher.asking import Asking
from llm2llm.teacher.entries import describe
from llm2llm.teacher.protocol import (
    BAD_REQUEST,
    Named,
    TeacherOutageError,
    TeacherRequest,
    TeacherStoppedError,
)
from llm2llm.teacher.requests import Requests
from llm2llm.teacher.tally import Tally

# Fewer bad requests than this may well be the requests' own fault.
_REFUSED_AT_LEAST = 3
_LOOKUP = 500


class Sender:
    """Answer rounds of requests through a ledger and a way of asking.

    `section` is the teacher's in params.yaml. With `replay` nothing is sent. Up to
    `accepted_share` of a round may stay without an answer. `may_send` is told how many requests
    the ledger lacks, and raises where they must not be sent; `say` gets a line for people,
    `on_tally` the counts after each outcome. `clock` gives seconds.
    """

    def __init__(
        self,
        teacher: Named,
        ledger: Ledger,
        asking: Asking,
        *,
        section: str = "teacher_batch",
        replay: bool,
        accepted_share: float,
        say: Callable[[str], None],
        may_send: Callable[[int], None],
        on_tally: Callable[[Tally], None],
        clock: Callable[[], float],
    ) -> None:
        self._teacher = teacher
        self._ledger = ledger
        self._asking = asking
        self._section = section
        self._replay = replay
        self._accepted_share = accepted_share
        self._say = say
        self._may_send = may_send
        self._on_tally = on_tally
        self._clock = clock
        # Over all rounds of this sender.
        self._n_requests = 0
        self._n_left = 0

    def name(self, request: TeacherRequest) -> TeacherRequest:
        """Give the request its id: a hash of all that determines the answer."""
        named = request_id(describe(request, self._teacher.identify(request)))
        return dataclasses.replace(request, request_id=named)

    def describe(self, request: TeacherRequest) -> dict[str, Json]:
        """Give what the request's id is the hash of."""
        return describe(request, self._teacher.identify(request))

    def find(self, request_ids: Iterable[str]) -> Mapping[str, Entry]:
        """Look outcomes up in the ledger; those it lacks are not in the result."""
        return self._ledger.find(request_ids)

    def send(
        self, requests: Requests, on_entry: Callable[[TeacherRequest, Entry], None]
    ) -> list[int]:
        """Bring the outcome of every request into the ledger, and hand each over, in any order.

        Gives the numbers of those that stay without one, as many as are accepted. Raises
        TeacherError where there are more; what was answered is then in the ledger.
        """
        tally = Tally(len(requests), begun_s=self._clock())
        self._n_requests += len(requests)
        missing = self._look_up(requests, on_entry, tally)
        self._on_tally(tally)
        if not missing:
            return []
        if self._replay:
            return self._miss(requests.only(missing), tally)
        self._may_send(len(missing))
        self._say(
            f"{len(requests)} requests, {tally.n_known} of them in the ledger,"
            f" {len(missing)} to send"
        )
        return self._ask(requests.only(missing), on_entry, tally)

    def _look_up(
        self,
        requests: Requests,
        on_entry: Callable[[TeacherRequest, Entry], None],
        tally: Tally,
    ) -> "array[int]":
        missing = array("q")
        for chunk in requests.chunks(_LOOKUP):
            known = self._ledger.find(request.request_id for _, request in chunk)
            for number, request in chunk:
                entry = known.get(request.request_id)
                if entry is None:
                    missing.append(number)
                else:
                    tally.n_known += 1
                    on_entry(request, entry)
        return missing

    def _miss(self, missing: Requests, tally: Tally) -> list[int]:
        if self._is_accepted(len(missing)):
            return list(missing.numbers)
        first = next(iter(missing))
        raise TeacherError(
            f"replay: the ledger lacks {len(missing)} of {tally.n_total} requests, the first"
            f" {first.request_id} ({first.subject}, {first.purpose}, draw {first.draw}); set"
            f" `{self._section}.replay: false` to ask the teacher, or fetch the answers of an"
            " earlier run with `llm2llm ledger import`"
        )

    def _ask(
        self,
        missing: Requests,
        on_entry: Callable[[TeacherRequest, Entry], None],
        tally: Tally,
    ) -> list[int]:
        failures: list[Llm2llmError] = []
        left = {request.request_id: number for number, request in _numbered(missing)}
        refused: list[Entry] = []
        n_taken = 0

        def settle(request: TeacherRequest, outcome: Entry | Llm2llmError) -> None:
            nonlocal n_taken
            if isinstance(outcome, Entry):
                if outcome.request_id != request.request_id:
                    raise CountError(
                        f"{request.request_id} ({request.subject}) got the outcome of"
                        f" {outcome.request_id}; see that the ledger is whole"
                    )
                if (outcome.failure or "").startswith(BAD_REQUEST):
                    if n_taken == 0:
                        refused.append(outcome)
                else:
                    n_taken += 1
                left.pop(request.request_id, None)
                tally.add(outcome)
                on_entry(request, outcome)
            elif isinstance(outcome, TeacherOutageError):
                tally.n_lost += 1
                failures.append(outcome)
            else:
                # What stops all comes first in the message.
                failures.insert(0, outcome)
            self._on_tally(tally)

        def tick(n_in_flight: int) -> None:
            tally.n_in_flight = n_in_flight
            self._on_tally(tally)

        self._asking.ask_all(missing, settle, tick)
        self._refuse_what_cannot_be_right(refused, n_taken, len(missing))
        if not left:
            return []
        return self._account_for(left, failures, tally)

    def _account_for(
        self, left: Mapping[str, int], failures: list[Llm2llmError], tally: Tally
    ) -> list[int]:
        kept = f"{tally.n_done} of {tally.n_total} requests are answered and kept, {len(left)} miss"
        if not failures:
            raise CountError(f"{kept} without a reason; run `dvc repro` again to ask for them")
        first = failures[0]
        if not isinstance(first, TeacherError):
            raise first
        if not isinstance(first, TeacherStoppedError) and self._is_accepted(len(left)):
            self._say(f"{first}. {kept}, as `{self._section}.accepted_failures` allows")
            return list(left.values())
        raise TeacherError(f"{first}. {kept}; `dvc repro` goes on from there") from None

    def _is_accepted(self, n_left: int) -> bool:
        self._n_left += n_left
        return self._n_left <= self._accepted_share * self._n_requests

    def _refuse_what_cannot_be_right(self, refused: list[Entry], n_taken: int, n_sent: int) -> None:
        """Raise TeacherError, and forget the refusals, when the endpoint took no request at all.

        Then the fault is in the params, not in the requests, and mending it must have an effect.
        """
        if n_taken or len(refused) < max(_REFUSED_AT_LEAST, n_sent):
            return
        self._ledger.forget_failed([entry.request_id for entry in refused])
        raise TeacherError(
            f"the endpoint refused all {len(refused)} requests, the first as"
            f" {refused[0].failure}; mend `{self._section}` in params.yaml (often"
            " `response_format` or `max_tokens`) and run `dvc repro` again"
        )


def _numbered(requests: Requests) -> Iterable[tuple[int, TeacherRequest]]:
    return zip(requests.numbers, requests, strict=True)
