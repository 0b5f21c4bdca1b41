"""Ask a teacher that answers many requests at once, a group at a time."""

from collections.abc import Callable, Sequence

from llm2llm.exceptions import CountError, Llm2llmError
from llm2llm.ids import canonical_json
from llm2llm.ledger.database import Entry, Ledger
from llm2llm.teacher.asking import Settle
from llm2llm.teacher.entries import Recorder, describe
from llm2llm.teacher.protocol import Answer, GroupTeacher, Refusal, TeacherRequest
from llm2llm.teacher.requests import Requests


class GroupAsking:
    """Groups of `teacher.group_size`, each kept as soon as it is answered.

    Requests that another process is asking at the moment are left for the end and waited for, in
    steps of `pause`.
    """

    def __init__(
        self,
        teacher: GroupTeacher,
        ledger: Ledger,
        recorder: Recorder,
        *,
        pause: Callable[[float], object],
    ) -> None:
        self._teacher = teacher
        self._ledger = ledger
        self._recorder = recorder
        self._pause = pause

    def ask_all(self, requests: Requests, settle: Settle, tick: Callable[[int], None]) -> None:
        """Ask group by group; a teacher that stops ends it, what was kept stays."""
        elsewhere: list[TeacherRequest] = []
        for chunk in requests.chunks(self._teacher.group_size):
            group = [request for _, request in chunk]
            try:
                elsewhere += self._ask_group(group, settle, tick)
            except Llm2llmError as failure:
                settle(group[0], failure)
                return
        for request in elsewhere:
            try:
                entry = self._once(request)
            except Llm2llmError as failure:
                settle(request, failure)
                return
            settle(request, entry)

    def _once(self, request: TeacherRequest) -> Entry:
        return self._ledger.once(request.request_id, lambda: self._ask([request])[0], self._pause)

    def _ask_group(
        self, group: Sequence[TeacherRequest], settle: Settle, tick: Callable[[int], None]
    ) -> list[TeacherRequest]:
        """Ask what no other process is asking, and give back the others."""
        mine: list[TeacherRequest] = []
        try:
            for request in group:
                if self._ledger.claim(request.request_id):
                    mine.append(request)
            known = self._ledger.find(request.request_id for request in mine)
            missing = [request for request in mine if request.request_id not in known]
            tick(len(missing))
            entries = dict(known)
            if missing:
                answered = self._ask(missing)
                self._ledger.put_all(answered)
                entries |= {entry.request_id: entry for entry in answered}
        finally:
            for request in mine:
                self._ledger.release(request.request_id)
        tick(0)
        for request in mine:
            settle(request, entries[request.request_id])
        claimed = {request.request_id for request in mine}
        return [request for request in group if request.request_id not in claimed]

    def _ask(self, requests: Sequence[TeacherRequest]) -> list[Entry]:
        outcomes = self._teacher.ask_group(requests)
        if len(outcomes) != len(requests):
            raise CountError(
                f"the teacher gave {len(outcomes)} outcomes for {len(requests)} requests; nothing"
                " of this group was kept, `dvc repro` asks for it again"
            )
        return [self._entry(*each) for each in zip(requests, outcomes, strict=True)]

    def _entry(self, request: TeacherRequest, outcome: Answer | Refusal) -> Entry:
        identity = self._teacher.identify(request)
        description = canonical_json(describe(request, identity))
        return self._recorder.record(request, description, str(identity["backend"]), outcome)
