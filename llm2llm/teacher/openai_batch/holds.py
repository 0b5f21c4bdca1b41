"""Room in the budget for every request that is under way in a batch."""

from collections.abc import Iterable

from llm2llm.ledger.batches import OpenRequest
from llm2llm.ledger.database import Entry
from llm2llm.teacher.budget import Budget, Reservation
from llm2llm.teacher.protocol import Answer, LostCall, Refusal


class Holds:
    """Reservations by request, those of batches that were submitted before included."""

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget
        self._held: dict[str, Reservation] = {}

    def __len__(self) -> int:
        return len(self._held)

    def reserve(self, request: OpenRequest) -> None:
        """Hold room for a request to be submitted; raises TeacherStoppedError."""
        if self._budget is not None:
            self._held[request.request_id] = self._budget.reserve(
                request.most_prompt_tokens, request.max_completion_tokens
            )

    def occupy(self, requests: Iterable[OpenRequest]) -> None:
        """Hold room for requests under way, where none is held yet."""
        if self._budget is None:
            return
        for request in requests:
            if request.request_id not in self._held:
                self._held[request.request_id] = self._budget.occupy(
                    request.most_prompt_tokens, request.max_completion_tokens
                )

    def over(self, owed: Iterable[str]) -> list[str]:
        """Name the requests that hold room and are no longer owed."""
        return list(self._held.keys() - set(owed))

    def lose(self, request_id: str, call: LostCall) -> None:
        """Count a billed call that brought no answer."""
        held = self._held.get(request_id)
        if held is not None:
            held.lost = (*held.lost, call)

    def settle(self, request_id: str, entry: Entry | None) -> None:
        """Give the room back and count what the request really took."""
        held = self._held.pop(request_id, None)
        if held is None or self._budget is None:
            return
        if entry is not None:
            held.outcome = _outcome(entry)
        self._budget.settle(held)


def _outcome(entry: Entry) -> Answer | Refusal:
    # The budget asks for the counts and for the kind only; the texts stay where they are.
    refusal = Refusal(
        reason="",
        n_prompt_tokens=entry.n_prompt_tokens,
        n_completion_tokens=entry.n_completion_tokens,
    )
    if entry.status != "answered":
        return refusal
    return Answer(
        text="",
        finish_reason=None,
        teacher=None,
        n_prompt_tokens=entry.n_prompt_tokens,
        n_completion_tokens=entry.n_completion_tokens,
        raw="",
    )
