"""Batches of requests under way at a provider: what was submitted, and what is still owed."""

import dataclasses
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llm2llm.exceptions import CountError, MachineError
from llm2llm.ids import sha256_json
from llm2llm.ledger.database import Charge, Entry, Ledger, insert, insert_charges

OPEN = ("planned", "uploaded", "submitted")


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as recorded; ids are the provider's, `key` is ours and stands in its metadata.

    `status` is the provider's word when it was last looked at. `n_tokens` is an estimate.
    """

    key: str
    state: str
    endpoint: str
    model: str
    max_completion_tokens: int | None
    created: str
    n_requests: int = 0
    n_bytes: int = 0
    n_tokens: int = 0
    file_sha256: str | None = None
    file_id: str | None = None
    batch_id: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """One line of a batch's file; `request` is the identity that its ledger entry will hold.

    `line` counts from 1, once the request is entered.

    `outcome` is null while an answer is owed, then `entry`, `again` (it must be submitted once
    more) or `given up`. `n_earlier` counts the submissions before that brought no answer.
    """

    request_id: str
    seed_id: str
    draw: int
    request: str
    most_prompt_tokens: int
    line: int = 0
    outcome: str | None = None
    reason: str | None = None
    n_earlier: int = 0


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request under way, and the most it can take."""

    request_id: str
    most_prompt_tokens: int
    max_completion_tokens: int | None


_COLUMNS = tuple(field.name for field in dataclasses.fields(Batch))
_LINE_COLUMNS = (
    "request_id",
    "seed_id",
    "draw",
    "request",
    "most_prompt_tokens",
    "line",
    "outcome",
    "reason",
)
_TABLES = (
    """
CREATE TABLE IF NOT EXISTS batches (
    key TEXT PRIMARY KEY,
    state TEXT NOT NULL
        CHECK (state IN ('planned', 'uploaded', 'submitted', 'collected', 'dropped', 'lost')),
    endpoint TEXT NOT NULL,
    model TEXT NOT NULL,
    max_completion_tokens INTEGER,
    created TEXT NOT NULL,
    n_requests INTEGER NOT NULL,
    n_bytes INTEGER NOT NULL,
    n_tokens INTEGER NOT NULL,
    file_sha256 TEXT,
    file_id TEXT,
    batch_id TEXT,
    status TEXT
) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS batch_requests (
    batch_key TEXT NOT NULL REFERENCES batches (key),
    request_id TEXT NOT NULL,
    seed_id TEXT NOT NULL,
    draw INTEGER NOT NULL,
    request TEXT NOT NULL,
    most_prompt_tokens INTEGER NOT NULL,
    line INTEGER NOT NULL,
    outcome TEXT CHECK (outcome IN ('entry', 'again', 'given up')),
    reason TEXT,
    PRIMARY KEY (batch_key, request_id)
) WITHOUT ROWID
""",
    # What keeps two processes from submitting one request: it is owed by one batch at most.
    "CREATE UNIQUE INDEX IF NOT EXISTS batch_requests_owed ON batch_requests (request_id)"
    " WHERE outcome IS NULL",
    "CREATE INDEX IF NOT EXISTS batch_requests_by_request ON batch_requests (request_id)",
)


class Batches:
    """The tables `batches` and `batch_requests` of a ledger.

    Whoever works on a batch holds its claim; the claim of a process that ends goes with it.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        with ledger.writing() as connection:
            for table in _TABLES:
                connection.execute(table)

    def plan(
        self, endpoint: str, model: str, max_completion_tokens: int | None, created: str
    ) -> Batch:
        """Begin a batch under a new key; the caller holds its claim until `release`."""
        with self._ledger.writing() as connection:
            n_before = connection.execute("SELECT COUNT(*) FROM batches").fetchone()[0]
            key = sha256_json([endpoint, model, created, n_before])
            batch = Batch(key, "planned", endpoint, model, max_completion_tokens, created)
            if not self.claim(batch):
                raise MachineError(f"batch {key}: claimed by another process; run `dvc repro`")
            values = [getattr(batch, name) for name in _COLUMNS]
            connection.execute(
                f"INSERT INTO batches ({', '.join(_COLUMNS)})"  # noqa: S608 - our own fields
                f" VALUES ({', '.join('?' * len(_COLUMNS))})",
                values,
            )
        return batch

    def claim(self, batch: Batch) -> bool:
        """Claim a batch until `release` or the end of this process; False: another has it."""
        return self._ledger.claim(batch.key)

    def release(self, batch: Batch) -> None:
        """Give a claim back."""
        self._ledger.release(batch.key)

    def take(self, batch: Batch, rows: Iterable[BatchRequest], *, n_before: int) -> set[str]:
        """Enter requests into a planned batch, and name those that were still to be had.

        Left out are those that another batch owes and those that the ledger holds. The others
        get the lines after the first `n_before`.
        """
        query = (
            "INSERT INTO batch_requests"  # noqa: S608 - names of our own fields
            f" (batch_key, {', '.join(_LINE_COLUMNS)})"
            f" SELECT ?, {', '.join('?' * len(_LINE_COLUMNS))} WHERE NOT EXISTS"
            " (SELECT 1 FROM requests WHERE request_id = ?)"
            " ON CONFLICT DO NOTHING"
        )
        taken: set[str] = set()
        with self._ledger.writing() as connection:
            for row in rows:
                placed = dataclasses.replace(row, line=n_before + len(taken) + 1)
                values = [getattr(placed, name) for name in _LINE_COLUMNS]
                done = connection.execute(query, [batch.key, *values, row.request_id])
                if done.rowcount == 1:
                    taken.add(row.request_id)
        return taken

    def save(self, batch: Batch, *, of: str) -> None:
        """Record a batch that was in state `of`; the requests of a dropped one are free again.

        One that was dropped before anything of it left this machine leaves no trace.
        """
        with self._ledger.writing() as connection:
            _save(connection, batch, of)
            if batch.state == "dropped":
                connection.execute(
                    "DELETE FROM batch_requests WHERE batch_key = ? AND outcome IS NULL",
                    [batch.key],
                )
                if of == "planned":
                    connection.execute("DELETE FROM batches WHERE key = ?", [batch.key])

    def keep(
        self,
        batch: Batch,
        entries: Sequence[Entry],
        again: Mapping[str, str],
        charges: Iterable[Charge],
    ) -> None:
        """Add entries and charges, and note why others brought nothing yet, in one commit."""
        with self._ledger.writing() as connection:
            insert(connection, entries)
            insert_charges(connection, charges)
            connection.executemany(
                "UPDATE batch_requests SET outcome = 'entry', request = ''"
                " WHERE batch_key = ? AND request_id = ?",
                [(batch.key, entry.request_id) for entry in entries],
            )
            connection.executemany(
                "UPDATE batch_requests SET reason = ?"
                " WHERE batch_key = ? AND request_id = ? AND outcome IS NULL",
                [(reason, batch.key, request_id) for request_id, reason in again.items()],
            )

    def close(self, batch: Batch, *, of: str, reason: str) -> int:
        """Record the end of a batch; gives how many requests it owed to the last.

        They are free to be submitted again; `reason` is for those that no line named.
        """
        with self._ledger.writing() as connection:
            _save(connection, batch, of)
            done = connection.execute(
                "UPDATE batch_requests SET outcome = 'again', request = '',"
                " reason = COALESCE(reason, ?) WHERE batch_key = ? AND outcome IS NULL",
                [reason, batch.key],
            )
        return done.rowcount

    def give_up(self, request_ids: Iterable[str]) -> None:
        """Let the submissions so far not count for a later run."""
        with self._ledger.writing() as connection:
            connection.executemany(
                "UPDATE batch_requests SET outcome = 'given up'"
                " WHERE request_id = ? AND outcome = 'again'",
                [(request_id,) for request_id in request_ids],
            )

    def under_way(self, endpoint: str) -> list[Batch]:
        """List the open batches of an endpoint, oldest first."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM batches"  # noqa: S608 - our own fields
                " WHERE endpoint = ? AND state IN (?, ?, ?) ORDER BY created, key",
                [endpoint, *OPEN],
            ).fetchall()
        return [Batch(*row) for row in rows]

    def get(self, key: str) -> Batch:
        """Read a batch again, as it stands now."""
        with self._ledger.reading() as connection:
            row = connection.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM batches WHERE key = ?",  # noqa: S608 - as above
                [key],
            ).fetchone()
        return Batch(*row)

    def owed(self) -> list[OpenRequest]:
        """List the requests under way, at every endpoint."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT request_id, most_prompt_tokens, max_completion_tokens"
                " FROM batch_requests JOIN batches ON batches.key = batch_key"
                " WHERE outcome IS NULL"
            ).fetchall()
        return [OpenRequest(*row) for row in rows]

    def owed_by(self, batch: Batch) -> set[str]:
        """Name the requests that a batch owes."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT request_id FROM batch_requests WHERE batch_key = ? AND outcome IS NULL",
                [batch.key],
            ).fetchall()
        return {request_id for (request_id,) in rows}

    def n_unnamed(self, batch: Batch) -> int:
        """Count the requests of a batch that no line of its files has named so far."""
        with self._ledger.reading() as connection:
            found = connection.execute(
                "SELECT COUNT(*) FROM batch_requests"
                " WHERE batch_key = ? AND outcome IS NULL AND reason IS NULL",
                [batch.key],
            ).fetchone()
        return int(found[0])

    def n_enqueued_tokens(self, endpoint: str, model: str) -> int:
        """Estimate the tokens that a model's batches under way hold."""
        with self._ledger.reading() as connection:
            found = connection.execute(
                "SELECT COALESCE(SUM(n_tokens), 0) FROM batches"
                " WHERE endpoint = ? AND model = ? AND state IN (?, ?, ?)",
                [endpoint, model, *OPEN],
            ).fetchone()
        return int(found[0])

    def find(self, batch: Batch, request_ids: Sequence[str]) -> Mapping[str, BatchRequest]:
        """Look requests up among those of a batch; a few hundred at a time."""
        query = (
            f"SELECT {', '.join('b.' + name for name in _LINE_COLUMNS)},"  # noqa: S608 - as above
            " (SELECT COUNT(*) FROM batch_requests e"
            "  WHERE e.request_id = b.request_id AND e.outcome = 'again')"
            " FROM batch_requests b WHERE b.batch_key = ?"
            f" AND b.request_id IN ({', '.join('?' * len(request_ids))})"
        )
        with self._ledger.reading() as connection:
            rows = connection.execute(query, [batch.key, *request_ids]).fetchall()
        return {row[0]: BatchRequest(*row) for row in rows}

    def find_lines(self, batch: Batch, lines: Iterable[int]) -> list[BatchRequest]:
        """Look up what a batch still owes for lines of its file, counted from 1."""
        wanted = set(lines)
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT line, request_id FROM batch_requests"
                " WHERE batch_key = ? AND outcome IS NULL",
                [batch.key],
            ).fetchall()
        found: list[BatchRequest] = []
        for line, request_id in rows:
            if line in wanted:
                found += self.find(batch, [request_id]).values()
        return found

    def unanswered(self, request_ids: Sequence[str]) -> Mapping[str, tuple[int, str]]:
        """Count the submissions that brought nothing, with a reason; a few hundred at a time."""
        with self._ledger.reading() as connection:
            rows = connection.execute(
                "SELECT request_id, COUNT(*), MAX(reason) FROM batch_requests"  # noqa: S608 - marks
                f" WHERE outcome = 'again' AND request_id IN ({', '.join('?' * len(request_ids))})"
                " GROUP BY request_id",
                list(request_ids),
            ).fetchall()
        return {request_id: (n, reason) for request_id, n, reason in rows}


def _save(connection: sqlite3.Connection, batch: Batch, of: str) -> None:
    values = [getattr(batch, name) for name in _COLUMNS]
    done = connection.execute(
        f"UPDATE batches SET {', '.join(name + ' = ?' for name in _COLUMNS)}"  # noqa: S608 - as above
        " WHERE key = ? AND state = ?",
        [*values, batch.key, of],
    )
    if done.rowcount != 1:
        raise CountError(
            f"batch {batch.key}: another process moved it on from {of}; run `dvc repro` again"
        )
