"""What one call asks for, as far as it is not settled."""

from llm2llm.exceptions import Llm2llmError, TeacherError
from llm2llm.ledger.database import Entry
from llm2llm.teacher.asking import Settle
from llm2llm.teacher.requests import Requests


class Round:
    """The requests of one call that are not settled, by id, with their numbers."""

    def __init__(self, requests: Requests, settle: Settle) -> None:
        self.requests = requests
        self.pending = {
            request.request_id: number
            for number, request in zip(requests.numbers, requests, strict=True)
        }
        self.stopped: TeacherError | None = None
        self._settle = settle

    def settle(self, request_id: str, outcome: Entry | Llm2llmError) -> None:
        """Hand an outcome over."""
        self._settle(self.requests.make(self.pending.pop(request_id)), outcome)

    def settle_stopped(self) -> None:
        """Say why nothing more is done; the requests stay open."""
        if self.stopped is not None:
            first = next(iter(self.pending.values()))
            self._settle(self.requests.make(first), self.stopped)
