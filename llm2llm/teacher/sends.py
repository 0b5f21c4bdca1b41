"""What the pipeline hands requests to: answers come from the ledger, or from a teacher."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from llm2llm.ids import Json
from llm2llm.ledger.database import Entry
from llm2llm.teacher.protocol import TeacherRequest
from llm2llm.teacher.requests import Requests


class Sends(Protocol):
    """What gets answers to requests."""

    def name(self, request: TeacherRequest) -> TeacherRequest:
        """Give a request its id."""

    def describe(self, request: TeacherRequest) -> dict[str, Json]:
        """Give what the id is the hash of."""

    def send(
        self, requests: Requests, on_entry: Callable[[TeacherRequest, Entry], None]
    ) -> list[int]:
        """Bring all outcomes into the ledger; gives the numbers of those that stay without."""

    def find(self, request_ids: Iterable[str]) -> Mapping[str, Entry]:
        """Look outcomes up."""
