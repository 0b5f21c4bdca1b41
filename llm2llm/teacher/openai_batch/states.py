"""What becomes of a recorded batch: pure moves from one recorded state to the next.

    planned --Uploaded--> uploaded --Created--> submitted --Finished--> collected
       |                     |                      |-------Forgotten-> lost
       +------NotThere-------+------> dropped <-----+-------Refused

Only an uploaded batch can exist at the provider without its id being recorded here.
"""

import dataclasses
from dataclasses import dataclass

from llm2llm.exceptions import CountError
from llm2llm.ledger.batches import Batch

# The words for a batch that will not change any more, and for one that will.
FINISHED = frozenset({"completed", "failed", "expired", "cancelled"})
UNDER_WAY = frozenset(
    {
        "validating",
        "in_progress",
        "finalizing",
        "cancelling",
        "created",
        "pending",
        "queued",
        "running",
        "submitted",
    }
)


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The request file is at the provider; the batch may exist from here on."""

    file_id: str
    file_sha256: str
    n_requests: int
    n_bytes: int
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Created:
    """The batch exists and its id is known."""

    batch_id: str
    status: str


@dataclass(frozen=True, slots=True)
class NotThere:
    """There never was such a batch at the provider."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider is done with it, and what it brought is in the ledger."""

    status: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider would not begin it, for a reason that is no request's fault."""

    status: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The provider no longer knows it."""


Event = Uploaded | Created | NotThere | Finished | Refused | Forgotten


def advance(batch: Batch, event: Event) -> Batch:
    """Give the batch as it stands after an event; raises CountError where none can follow."""
    match (batch.state, event):
        case ("planned", Uploaded()):
            return dataclasses.replace(batch, state="uploaded", **dataclasses.asdict(event))
        case ("uploaded", Created()):
            return dataclasses.replace(
                batch, state="submitted", batch_id=event.batch_id, status=event.status
            )
        case ("planned" | "uploaded", NotThere()):
            return dataclasses.replace(batch, state="dropped")
        case ("submitted", Finished()):
            return dataclasses.replace(batch, state="collected", status=event.status)
        case ("submitted", Refused()):
            return dataclasses.replace(batch, state="dropped", status=event.status)
        case ("submitted", Forgotten()):
            return dataclasses.replace(batch, state="lost")
    raise CountError(
        f"batch {batch.key}: {type(event).__name__} cannot follow on {batch.state}; see that the"
        " ledger is whole"
    )
