"""Ask through a provider's Batch API: submit what is missing, and collect what is done."""

import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from llm2llm.exceptions import TeacherError
from llm2llm.ids import Json
from llm2llm.ledger.batches import Batch, Batches
from llm2llm.ledger.database import Ledger
from llm2llm.params.runtime_openai_batch import OpenAIBatchRuntimeParams
from llm2llm.params.teacher_openai_batch import OpenAIBatchParams
from llm2llm.teacher.asking import Settle
from llm2llm.teacher.budget import Budget
from llm2llm.teacher.entries import Recorder
from llm2llm.teacher.openai_batch.collecting import BACKEND, Collector
from llm2llm.teacher.openai_batch.holds import Holds
from llm2llm.teacher.openai_batch.provider import GoneError, Provider, UnlistedError
from llm2llm.teacher.openai_batch.rounds import Round
from llm2llm.teacher.openai_batch.states import (
    FINISHED,
    UNDER_WAY,
    Created,
    Forgotten,
    NotThere,
    advance,
)
from llm2llm.teacher.openai_batch.stuck import StuckError, unknown, unlisted, without_end
from llm2llm.teacher.openai_batch.submitting import Submitter
from llm2llm.teacher.openai_batch.views import View
from llm2llm.teacher.openai_chat import OpenAIChat
from llm2llm.teacher.openai_client import OpenAIConnection
from llm2llm.teacher.protocol import (
    TeacherOutageError,
    TeacherRequest,
    TeacherStoppedError,
)
from llm2llm.teacher.requests import Requests

_LOOKUP = 500
# A batch may stand so often unchanged under a word that is not known here.
_MOST_LOOKS = 30


class BatchTeacher:
    """What names the backend and its requests; nothing is connected for it."""

    def __init__(self, params: OpenAIBatchParams) -> None:
        self.chat = OpenAIChat(params, BACKEND)

    @property
    def identity(self) -> Mapping[str, Json]:
        """Name endpoint, model, revision and sampling."""
        return self.chat.identity

    def identify(self, request: TeacherRequest) -> Mapping[str, Json]:
        """Add the response format that is sent."""
        return self.chat.identify(request)


class BatchAsking:
    """Requests in batches, each recorded in the ledger before it exists at the provider.

    Batches that another process, or a dead one, left under way are taken on. `folder` is for
    files while they are written or read. A request is submitted up to `max_attempts` times, and
    a call to the provider tried as often. With `pay_again` also those of a batch are submitted
    again that may have been paid for and cannot be collected. `pause` waits so many seconds;
    setting `stop` ends it.
    """

    def __init__(
        self,
        teacher: BatchTeacher,
        params: OpenAIBatchParams,
        runtime: OpenAIBatchRuntimeParams,
        ledger: Ledger,
        recorder: Recorder,
        *,
        where: str = "teacher_batch.openai_batch",
        budget: Budget | None,
        api_key: str | None,
        folder: Path,
        timeout_s: float,
        max_attempts: int,
        pay_again: bool,
        say: Callable[[str], None],
        now: Callable[[], float],
        pause: Callable[[float], object],
        stop: threading.Event,
    ) -> None:
        self._runtime = runtime
        self._ledger = ledger
        self._endpoint = params.base_url.rstrip("/")
        self._max_attempts = max_attempts
        self._pay_again = pay_again
        self._say = say
        self._pause = pause
        self._stop = stop
        self._batches = Batches(ledger)
        self._holds = Holds(budget)
        self._looks: dict[str, tuple[str, int]] = {}
        self._stuck: dict[str, StuckError] = {}
        connection = OpenAIConnection(params, where, api_key=api_key, timeout_s=timeout_s)
        self._provider = Provider(
            connection,
            params.base_url,
            max_attempts=max_attempts,
            now=now,
            sleep=pause,
            stop=stop,
        )
        folder.mkdir(parents=True, exist_ok=True)
        self._collector = Collector(
            self._batches,
            recorder,
            self._provider,
            folder=folder,
            say=say,
            on_lost=self._holds.lose,
            pay_again=pay_again,
        )
        self._submitter = Submitter(
            params,
            teacher.chat,
            self._batches,
            recorder,
            self._provider,
            self._holds,
            folder=folder,
            say=say,
        )

    def ask_all(self, requests: Requests, settle: Settle, tick: Callable[[int], None]) -> None:
        """Go round after round: collect, submit what no batch owes, wait."""
        round_ = Round(requests, settle)
        while round_.pending:
            was_stopped = round_.stopped is not None
            # What is collected next was not yet in the sums that the budget began with.
            self._holds.occupy(self._batches.owed())
            is_down = self._move_on(round_)
            missing = self._hand_over(round_)
            if not round_.pending:
                return
            if is_down:
                break
            if missing and round_.stopped is None:
                self._submit(round_, missing)
            n_owed = sum(one.request_id in round_.pending for one in self._batches.owed())
            under_way = self._moving()
            tick(n_owed)
            if self._stuck and not under_way:
                # Its requests, or the room that it takes at the provider, are not to be had.
                round_.stopped = round_.stopped or next(iter(self._stuck.values()))
            if round_.stopped is not None:
                if not n_owed or not under_way:
                    break
                if not was_stopped:
                    # A batch that could not be made for certain is looked for at once.
                    continue
            if not self._runtime.wait:
                round_.stopped = round_.stopped or self._not_waited_for(under_way, n_owed)
                break
            if self._stop.is_set():
                round_.stopped = TeacherStoppedError("stopped while batches were under way")
                break
            self._pause(self._runtime.poll_every_s)
        if round_.stopped is not None:
            round_.settle_stopped()

    def _moving(self) -> list[Batch]:
        """List the batches under way that are not stuck."""
        open_ = self._batches.under_way(self._endpoint)
        return [batch for batch in open_ if batch.key not in self._stuck]

    def _move_on(self, round_: Round) -> bool:
        """Take every batch of the endpoint as far as it goes; True when the provider is down."""
        for batch in self._moving():
            if not self._batches.claim(batch):
                continue
            try:
                failure = self._move_one(self._batches.get(batch.key))
            except StuckError as stuck:
                self._stuck[batch.key] = stuck
                self._say(str(stuck))
                # Nobody has to wait for a batch of other requests.
                failure = stuck if round_.pending.keys() & self._batches.owed_by(batch) else None
            except TeacherError as down:
                round_.stopped = down
                return True
            finally:
                self._batches.release(batch)
            round_.stopped = round_.stopped or failure
        return False

    def _move_one(self, batch: Batch) -> TeacherStoppedError | None:
        """Move a batch on whose claim is held: whoever worked on it has left it there."""
        if batch.state == "planned":
            self._batches.save(advance(batch, NotThere()), of=batch.state)
        elif batch.state == "uploaded":
            self._look_for(batch)
        elif batch.state == "submitted":
            return self._look_at(batch)
        return None

    def _look_for(self, batch: Batch) -> None:
        try:
            view = self._provider.find(batch.key, batch.file_id)
        except UnlistedError as refused:
            if not self._pay_again:
                raise unlisted(batch, str(refused)) from None
            view = None
        if view is None:
            self._batches.save(advance(batch, NotThere()), of=batch.state)
            return
        found = advance(batch, Created(view.batch_id, view.status))
        self._batches.save(found, of=batch.state)
        self._say(
            f"batch {view.batch_id} found: it was submitted with {batch.n_requests} requests before"
        )

    def _look_at(self, batch: Batch) -> TeacherStoppedError | None:
        try:
            view = self._provider.retrieve(batch.batch_id or "")
        except GoneError:
            if not self._pay_again:
                raise unknown(batch) from None
            lost = advance(batch, Forgotten())
            reason = f"the provider no longer knows batch {batch.batch_id}"
            n_again = self._batches.close(lost, of=batch.state, reason=reason)
            self._say(f"{reason}: {n_again} requests to be submitted again")
            return None
        if view.status in FINISHED:
            return self._collector.collect(batch, view)
        self._note(batch, view)
        return None

    def _note(self, batch: Batch, view: View) -> None:
        """Say what has changed; raises StuckError where for long nothing did that is known."""
        note, n_looks = self._looks.get(batch.key, ("", 0))
        n_looks = n_looks + 1 if note == view.note else 1
        self._looks[batch.key] = (view.note, n_looks)
        is_known = view.status in UNDER_WAY
        if n_looks == 1:
            odd = "" if is_known else f" (the status {view.status!r} is not known here)"
            self._say(f"batch {view.batch_id}: {view.note}{odd}")
        if not is_known and n_looks >= _MOST_LOOKS:
            raise without_end(batch, view.status, n_looks)

    def _hand_over(self, round_: Round) -> list[int]:
        """Settle what has come and what is given up; gives the numbers of what no batch owes."""
        owed = {one.request_id: one for one in self._batches.owed()}
        self._holds.occupy(owed.values())
        missing: list[int] = []
        free = [request_id for request_id in round_.pending if request_id not in owed]
        for start in range(0, len(free), _LOOKUP):
            some = free[start : start + _LOOKUP]
            entries = self._ledger.find(some)
            for request_id, entry in entries.items():
                self._holds.settle(request_id, entry)
                round_.settle(request_id, entry)
            tries = self._batches.unanswered([each for each in some if each not in entries])
            hopeless = [each for each in tries if tries[each][0] >= self._max_attempts]
            self._batches.give_up(hopeless)
            for request_id in hopeless:
                n, reason = tries[request_id]
                said = f"{self._endpoint} gave no answer in {n} submissions ({reason})"
                self._holds.settle(request_id, None)
                round_.settle(request_id, TeacherOutageError(said))
            missing += [round_.pending[each] for each in some if each in round_.pending]
        for request_id in self._holds.over(owed):
            self._holds.settle(request_id, self._ledger.get(request_id))
        return missing

    def _submit(self, round_: Round, missing: list[int]) -> None:
        try:
            over = self._submitter.submit(iter(round_.requests.only(missing)))
        except TeacherStoppedError as failure:
            round_.stopped = failure
            return
        # With others in flight the room that they do not use may be enough later.
        if over is not None and not self._moving():
            round_.stopped = over

    def _not_waited_for(self, under_way: list[Batch], n_owed: int) -> TeacherStoppedError:
        ids = ", ".join(batch.batch_id or batch.key for batch in under_way)
        return TeacherStoppedError(
            f"{n_owed} requests are under way at {self._endpoint} in {len(under_way)} batches"
            f" ({ids}), and `runtime.openai_batch.wait` is false: `dvc repro` collects them when"
            " they are done"
        )
