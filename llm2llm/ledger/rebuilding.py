"""Tell the ledger's rows among all rows of a file, and check each against its own hash."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from llm2llm.ledger.batches import OPEN
from llm2llm.ledger.cells import Row, TornError, Value, lost_pages, rows
from llm2llm.ledger.database import Charge, Entry
from llm2llm.ledger.pages import Pages

_PREFIX = "rq-"
_N_COLUMNS = {
    "requests": 17,
    "charges": 6,
    "imported": 2,
    "sqlite_master": 5,
    "batches": 13,
    "batch_requests": 9,
}
# Places of columns whose numbers SQLite stores as integers where they have no fraction.
_ENTRY_REALS, _CHARGE_REALS = (14, 15), (4,)


@dataclass(slots=True)
class Found:
    """What `read` came upon besides entries.

    `lost` are entries whose place was found and whose content was not, by id or null;
    `mismatched` those whose content is not what their id says. `batches` are the open ones, by
    key, with the provider's id where it is known; `owed` their requests, with the batch's key.
    """

    charges: dict[int, Charge] = field(default_factory=dict)
    imported: dict[str, str] = field(default_factory=dict)
    lost: list[str | None] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    roots: set[int] = field(default_factory=set)
    batches: dict[str, str | None] = field(default_factory=dict)
    owed: set[tuple[str, str]] = field(default_factory=set)

    def pages_lost(self, pages: Pages) -> int:
        """Count the pages that are known to have held rows and can be read no more."""
        return len(lost_pages(pages, self.roots)) + pages.missing


def read(pages: Pages, found: Found) -> Iterator[Entry]:
    """Yield every entry whose id is the hash of its request, in no order; a few stand twice."""
    for row in rows(pages):
        if isinstance(row, TornError):
            if row.first is None or _is_id(row.first):
                found.lost.append(str(row.first) if row.first else None)
            continue
        values = row.values
        if len(values) == _N_COLUMNS["requests"] and _is_id(values[0]):
            entry = _entry(values)
            if entry is None:
                found.lost.append(str(values[0]))
            elif is_named_by_request(entry.request_id, entry.request):
                yield entry
            else:
                found.mismatched.append(entry.request_id)
        else:
            _note(row, found)


def is_named_by_request(request_id: str, request: str) -> bool:
    """Say whether an id is the hash of a request's canonical JSON."""
    return request_id == _PREFIX + hashlib.sha256(request.encode()).hexdigest()


def _note(row: Row, found: Found) -> None:
    values = row.values
    if len(values) == _N_COLUMNS["charges"] and row.rowid is not None and _is_id(values[0]):
        charge = _charge(values)
        if charge is not None:
            found.charges[row.rowid] = charge
    elif len(values) == _N_COLUMNS["imported"] and _is_id(values[0]) and is_moment(values[1]):
        found.imported[str(values[0])] = str(values[1])
    elif len(values) == _N_COLUMNS["sqlite_master"] and values[0] in ("table", "index"):
        root = values[3]
        if isinstance(root, int) and root > 0:
            found.roots.add(root)
    else:
        _note_batch(values, found)


def _note_batch(values: tuple[Value, ...], found: Found) -> None:
    if not values or not isinstance(values[0], str):
        return
    key = values[0]
    if len(values) == _N_COLUMNS["batches"] and values[1] in OPEN:
        found.batches[key] = values[11] if isinstance(values[11], str) else None
    elif len(values) == _N_COLUMNS["batch_requests"] and _is_id(values[1]) and values[7] is None:
        found.owed.add((key, str(values[1])))


def _entry(values: tuple[Value, ...]) -> Entry | None:
    """Make an entry; None where a value cannot stand in its column."""
    fitted = _fitted(values, "ttitttTTTTTnnirrt", _ENTRY_REALS)
    if fitted is None:
        return None
    entry = Entry(*fitted)
    answered = entry.status == "answered"
    holds = (
        entry.status in ("answered", "failed")
        and answered == (entry.text is not None)
        and answered == (entry.failure is None)
        and is_moment(entry.created)
        and (entry.raw is None or not entry.raw.startswith("{") or _is_json(entry.raw))
    )
    return entry if holds else None


def _charge(values: tuple[Value, ...]) -> Charge | None:
    fitted = _fitted(values, "ttnnrt", _CHARGE_REALS)
    if fitted is None:
        return None
    charge = Charge(*fitted)
    return charge if is_moment(charge.created) else None


# Per column: text, integer or real; capital letters, and n and r, may be null.
_TYPES: dict[str, tuple[type, ...]] = {
    "t": (str,),
    "T": (str, type(None)),
    "i": (int,),
    "n": (int, type(None)),
    "r": (float, int, type(None)),
}


def _fitted(values: tuple[Value, ...], kinds: str, reals: tuple[int, ...]) -> list[Any] | None:
    for value, kind in zip(values, kinds, strict=True):
        if not isinstance(value, _TYPES[kind]):
            return None
    fitted: list[Any] = list(values)
    for place in reals:
        if isinstance(fitted[place], int):
            fitted[place] = float(fitted[place])
    return fitted


def _is_id(value: Value) -> bool:
    return isinstance(value, str) and value.startswith(_PREFIX)


def is_moment(value: object) -> bool:
    """Say whether a value is a time as the ledger writes it."""
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
