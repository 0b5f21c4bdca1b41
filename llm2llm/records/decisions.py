"""What people decided about examples: data/review/decisions.jsonl, which is committed, no out."""

from dataclasses import dataclass
from pathlib import Path

DECISIONS = Path("data/review/decisions.jsonl")
# A file of no decisions: DVC warns of files of no bytes.
NO_DECISIONS = "\n"

ACCEPT, EDIT, REJECT = "accept", "edit", "reject"


@dataclass(frozen=True, slots=True)
class Decision:
    """One example's; `input` and `target` are the whole edited texts, null unless it is an edit.

    `reviewer` and `note` are null where none was given; both go out with the bundle.
    """

    example_id: str
    decision: str
    input: str | None
    target: str | None
    reviewer: str | None
    note: str | None
