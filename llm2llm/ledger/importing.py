"""Bring answers that were paid for elsewhere into a ledger."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llm2llm.ledger.database import Entry, Ledger, find, insert, insert_imported
from llm2llm.ledger.sources import read_entries

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows of one file.

    `n_known` were there already and say the same; the requests in `differing` were there with
    another outcome, which stays; `n_no_outcome` rows hold none.
    """

    file: str
    n_added: int
    n_known: int
    differing: list[str]
    n_no_outcome: int


def bring(ledger: Ledger, path: Path, now: str) -> Imported:
    """Add the entries of a file that the ledger lacks: all of them, or none where one is bad.

    They keep the cost that the file says, and are marked as no spending of this project. `now`
    is the time as the ledger writes it.
    """
    n_added = n_known = n_no_outcome = 0
    differing: list[str] = []
    source = read_entries(path, now)
    with ledger.writing() as connection:
        while chunk := list(itertools.islice(source, _CHUNK)):
            n_no_outcome += sum(each.entry is None for each in chunk)
            given = [each.entry for each in chunk if each.entry is not None]
            fresh: dict[str, Entry] = {}
            before = find(connection, [entry.request_id for entry in given])
            for entry in given:
                known = before.get(entry.request_id) or fresh.get(entry.request_id)
                if known is None:
                    fresh[entry.request_id] = entry
                elif _outcome(known) == _outcome(entry):
                    n_known += 1
                else:
                    differing.append(entry.request_id)
            insert(connection, fresh.values())
            insert_imported(connection, fresh, now)
            n_added += len(fresh)
    return Imported(str(path), n_added, n_known, differing, n_no_outcome)


def _outcome(entry: Entry) -> Sequence[str | None]:
    return entry.status, entry.text, entry.failure
