"""Look up in the ledger what requests cost; without a ledger nothing is imported for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llm2llm.ledger.database import Entry


def entries(store: Path, request_ids: Sequence[str]) -> "Mapping[str, Entry]":
    """Find the ledger's entries of requests; those that it lacks are not in the result."""
    path = store / "ledger.sqlite"
    if not request_ids or not path.is_file():
        return {}
    from llm2llm.ledger.database import find
    from llm2llm.ledger.reading import reading

    with reading(path) as connection:
        return find(connection, request_ids)


def costs(store: Path, request_ids: Sequence[str]) -> dict[str, float | None]:
    """Give what the answer to each request cost; null where the ledger does not know."""
    found = entries(store, request_ids)
    return {name: found[name].cost if name in found else None for name in request_ids}
