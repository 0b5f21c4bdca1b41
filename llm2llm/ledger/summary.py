"""Sum a ledger up: what it holds, what it cost, who is asking now."""

import os
import sqlite3
from dataclasses import dataclass, replace
from pathlib import Path

from llm2llm.ledger.batches import OPEN
from llm2llm.ledger.claims import FIRST_CLAIM, claims_of
from llm2llm.ledger.locks import locks
from llm2llm.ledger.reading import check_format, integrity, reading, tables


@dataclass(frozen=True, slots=True)
class Total:
    """Sums over some rows.

    `cost` and the token counts add up what is known; the `n_..._unknown` say of how many rows it
    is not. `cost` is null where it is known of no row.
    """

    n: int
    n_attempts: int
    n_prompt_tokens: int
    n_completion_tokens: int
    n_tokens_unknown: int
    cost: float | None
    n_cost_unknown: int


@dataclass(frozen=True, slots=True)
class Group:
    """The rows of one backend, the model that was asked for (null: it has none), and status."""

    backend: str
    model: str | None
    status: str
    total: Total


@dataclass(frozen=True, slots=True)
class Reason:
    """How many requests failed for one reason, without what the reason says in detail."""

    reason: str
    n: int


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What an endpoint's open batches owe; a batch that is being made counts too."""

    endpoint: str
    n_batches: int
    n_requests: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A ledger at this moment; counts are zero where there is none, null where it is unreadable.

    `size_bytes` counts the write-ahead log too. `charges` are billed calls that brought no answer,
    in no other sum. `n_imported` rows were paid for elsewhere. `in_flight` names a process for
    each request, or batch, that it holds now. `batches` are under way at a provider, whoever runs.
    `damage` is what SQLite finds wrong.
    """

    path: str
    exists: bool
    size_bytes: int
    format: int | None
    total: Total | None
    groups: list[Group]
    failures: list[Reason]
    charges: Total | None
    n_imported: int | None
    first: str | None
    last: str | None
    in_flight: list[int]
    batches: list[UnderWay] | None
    damage: list[str]


_SUMS = (
    "COUNT(*), COALESCE(SUM({attempts}), 0), COALESCE(SUM(n_prompt_tokens), 0),"
    " COALESCE(SUM(n_completion_tokens), 0),"
    " COALESCE(SUM(n_prompt_tokens IS NULL OR n_completion_tokens IS NULL), 0), SUM(cost),"
    " COALESCE(SUM(cost IS NULL), 0)"
)
_REQUESTS = _SUMS.format(attempts="n_attempts")
_CHARGES = _SUMS.format(attempts="1")
_NOTHING = Total(0, 0, 0, 0, 0, None, 0)


def summarize(store: Path) -> Summary:
    """Look at the ledger of a store; takes no lock, and works while others write."""
    path = store / "ledger.sqlite"
    empty = Summary(
        path=str(path),
        exists=False,
        size_bytes=0,
        format=None,
        total=_NOTHING,
        groups=[],
        failures=[],
        charges=_NOTHING,
        n_imported=0,
        first=None,
        last=None,
        in_flight=[],
        batches=[],
        damage=[],
    )
    if not path.is_file():
        return empty
    files = (path, path.with_name("ledger.sqlite-wal"))
    there = replace(
        empty,
        exists=True,
        size_bytes=sum(file.stat().st_size for file in files if file.is_file()),
        in_flight=in_flight(store),
    )
    damage = integrity(path)
    if damage:
        return replace(
            there, total=None, charges=None, n_imported=None, batches=None, damage=damage
        )
    with reading(path) as connection:
        return _counted(there, connection, check_format(path, connection))


def _counted(empty: Summary, connection: sqlite3.Connection, version: int) -> Summary:
    known = tables(connection)
    found = replace(empty, format=version)
    if "requests" in known:
        *sums, first, last = connection.execute(
            f"SELECT {_REQUESTS}, MIN(created), MAX(created) FROM requests"  # noqa: S608 - our names
        ).fetchone()
        found = replace(
            found,
            total=Total(*sums),
            groups=_groups(connection),
            failures=_failures(connection),
            first=first,
            last=last,
        )
    if "charges" in known:
        sums = connection.execute(f"SELECT {_CHARGES} FROM charges").fetchone()  # noqa: S608 - ours
        found = replace(found, charges=Total(*sums))
    if "imported" in known:
        (n_imported,) = connection.execute("SELECT COUNT(*) FROM imported").fetchone()
        found = replace(found, n_imported=n_imported)
    if {"batches", "batch_requests"} <= known:
        found = replace(found, batches=_batches(connection))
    return found


def in_flight(store: Path) -> list[int]:
    """Name the process behind each claim on a request, or a batch, that is held now."""
    path = store.resolve() / "inflight.lock"
    if not path.is_file():
        return []
    claims = claims_of(path)
    others = [lock.pid for lock in locks(claims.descriptor, FIRST_CLAIM)]
    return sorted([*others, *[os.getpid()] * claims.n_held])


def _groups(connection: sqlite3.Connection) -> list[Group]:
    rows = connection.execute(
        "SELECT backend, CASE WHEN json_valid(request)"  # noqa: S608 - our own names
        f" THEN json_extract(request, '$.teacher.model') END AS model, status, {_REQUESTS}"
        " FROM requests GROUP BY backend, model, status ORDER BY backend, model, status"
    )
    return [Group(backend, model, status, Total(*sums)) for backend, model, status, *sums in rows]


def _batches(connection: sqlite3.Connection) -> list[UnderWay]:
    rows = connection.execute(
        "SELECT endpoint, COUNT(DISTINCT key), COUNT(request_id) FROM batches"  # noqa: S608 - marks
        " LEFT JOIN batch_requests ON batch_key = key AND outcome IS NULL"
        f" WHERE state IN ({', '.join('?' * len(OPEN))}) GROUP BY endpoint ORDER BY endpoint",
        OPEN,
    )
    return [UnderWay(*row) for row in rows]


def _failures(connection: sqlite3.Connection) -> list[Reason]:
    """Count failures by how their reason begins, before brackets or a colon."""
    rows = connection.execute(
        "SELECT failure, COUNT(*) FROM requests WHERE status = 'failed' GROUP BY failure"
    )
    counts: dict[str, int] = {}
    for failure, n in rows:
        kind = failure.partition("(")[0].partition(":")[0].strip() or failure
        counts[kind] = counts.get(kind, 0) + n
    return [Reason(kind, n) for kind, n in sorted(counts.items(), key=lambda item: -item[1])]
