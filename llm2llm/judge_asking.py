"""Ask a judge through the ledger, about equal things once."""

from collections.abc import Callable, Sequence
from functools import cached_property

from llm2llm.ids import Json
from llm2llm.ledger.database import Entry
from llm2llm.opinions import Judgment
from llm2llm.teacher.protocol import TeacherRequest
from llm2llm.teacher.requests import Requests
from llm2llm.teacher.sends import Sends


class JudgeAsking:
    """`make_sender` is called when there is something to ask; `read` makes sense of an outcome."""

    def __init__(self, make_sender: Callable[[], Sends], read: Callable[[Entry], Judgment]) -> None:
        self._make_sender = make_sender
        self._read = read

    @cached_property
    def _sender(self) -> Sends:
        return self._make_sender()

    def describe(self, request: TeacherRequest) -> dict[str, Json]:
        """Give what a request's id is the hash of."""
        return self._sender.describe(request)

    def ask(self, requests: Sequence[TeacherRequest]) -> list[Judgment]:
        """Give a judgment for each request; raises TeacherError where an answer is to come.

        What was answered is then in the ledger and is not asked again.
        """
        if not requests:
            return []
        asked = [self._sender.name(request) for request in requests]
        distinct = list({request.request_id: request for request in asked}.values())
        found: dict[str, Judgment] = {}

        def read(request: TeacherRequest, entry: Entry) -> None:
            found[request.request_id] = self._read(entry)

        self._sender.send(Requests(range(len(distinct)), distinct.__getitem__), read)
        return [found[request.request_id] for request in asked]
