"""The ledger: one durable row for every request that the teacher has dealt with."""

import dataclasses
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llm2llm.exceptions import MachineError
from llm2llm.ledger.claims import claims_of

FORMAT = 2
_BUSY_S = 60.0
_BUSY_TIMES = 30
_POLL_S = 0.05
_LOOKUP = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """One request and its outcome, as it stands in the ledger.

    `request` is the canonical JSON whose hash is `request_id`; `raw` is the answer as it arrived;
    `latency_s` is the last try's time; `cost` is null where price or usage is unknown; `created`
    is UTC.
    """

    request_id: str
    seed_id: str
    draw: int
    backend: str
    request: str
    status: str
    text: str | None
    finish_reason: str | None
    failure: str | None
    raw: str | None
    teacher: str | None
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
    n_attempts: int
    latency_s: float | None
    cost: float | None
    created: str


@dataclass(frozen=True, slots=True)
class Charge:
    """A billed call that brought no answer; counts and cost are null where unknown."""

    request_id: str
    reason: str
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
    cost: float | None
    created: str


@dataclass(frozen=True, slots=True)
class Spent:
    """Paid requests so far, each billed call without an answer counted as one more.

    `n_unknown` were answered without a count of tokens. `cost` is what is known of the money; the
    unpriced tokens are those of rows whose cost is null.
    """

    n_requests: int
    n_prompt_tokens: int
    n_completion_tokens: int
    n_unknown: int
    cost: float = 0.0
    n_unpriced_prompt_tokens: int = 0
    n_unpriced_completion_tokens: int = 0


_COLUMNS = tuple(field.name for field in dataclasses.fields(Entry))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM requests"  # noqa: S608 - names of our own fields
_INSERT = (
    f"INSERT INTO requests ({', '.join(_COLUMNS)}) "  # noqa: S608 - as above
    f"VALUES ({', '.join('?' * len(_COLUMNS))}) ON CONFLICT (request_id) DO NOTHING"
)
_CHARGE_COLUMNS = tuple(field.name for field in dataclasses.fields(Charge))
_INSERT_CHARGE = (
    f"INSERT INTO charges ({', '.join(_CHARGE_COLUMNS)}) "  # noqa: S608 - as above
    f"VALUES ({', '.join('?' * len(_CHARGE_COLUMNS))})"
)
_TABLES = (
    """
CREATE TABLE IF NOT EXISTS requests (
    request_id TEXT PRIMARY KEY,
    seed_id TEXT NOT NULL,
    draw INTEGER NOT NULL,
    backend TEXT NOT NULL,
    request TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('answered', 'failed')),
    text TEXT CHECK ((status = 'answered') = (text IS NOT NULL)),
    finish_reason TEXT,
    failure TEXT CHECK ((status = 'failed') = (failure IS NOT NULL)),
    raw TEXT,
    teacher TEXT,
    n_prompt_tokens INTEGER,
    n_completion_tokens INTEGER,
    n_attempts INTEGER NOT NULL,
    latency_s REAL,
    cost REAL,
    created TEXT NOT NULL
) WITHOUT ROWID
""",
    """
CREATE TABLE IF NOT EXISTS charges (
    request_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    n_prompt_tokens INTEGER,
    n_completion_tokens INTEGER,
    cost REAL,
    created TEXT NOT NULL
)
""",
    # Rows that other projects or earlier runs paid for; `created` is when they came here.
    """
CREATE TABLE IF NOT EXISTS imported (
    request_id TEXT PRIMARY KEY,
    created TEXT NOT NULL
) WITHOUT ROWID
""",
)


def find(connection: sqlite3.Connection, request_ids: Iterable[str]) -> dict[str, Entry]:
    """Look entries up, what the connection wrote and did not commit yet included."""
    wanted = list(request_ids)
    found: dict[str, Entry] = {}
    for start in range(0, len(wanted), _LOOKUP):
        some = wanted[start : start + _LOOKUP]
        query = f"{_SELECT} WHERE request_id IN ({', '.join('?' * len(some))})"
        found |= {row[0]: Entry(*row) for row in connection.execute(query, some)}
    return found


def insert(connection: sqlite3.Connection, entries: Iterable[Entry]) -> None:
    """Add entries within a transaction; those whose request has an entry are left out."""
    rows = [tuple(getattr(entry, name) for name in _COLUMNS) for entry in entries]
    connection.executemany(_INSERT, rows)


def insert_charges(connection: sqlite3.Connection, charges: Iterable[Charge]) -> None:
    """Add billed calls within a transaction."""
    rows = [tuple(getattr(charge, name) for name in _CHARGE_COLUMNS) for charge in charges]
    connection.executemany(_INSERT_CHARGE, rows)


def insert_imported(
    connection: sqlite3.Connection, request_ids: Iterable[str], created: str
) -> None:
    """Mark entries as brought from elsewhere, within a transaction: they are not spending."""
    connection.executemany(
        "INSERT INTO imported (request_id, created) VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(request_id, created) for request_id in request_ids],
    )


_SUMS = (
    "SELECT COALESCE(SUM(n_prompt_tokens), 0), COALESCE(SUM(n_completion_tokens), 0),"
    " COALESCE(SUM(cost), 0.0),"
    " COALESCE(SUM(CASE WHEN cost IS NULL THEN n_prompt_tokens END), 0),"
    " COALESCE(SUM(CASE WHEN cost IS NULL THEN n_completion_tokens END), 0) "
)


class Ledger:
    """The SQLite database `ledger.sqlite` of a store; safe for threads and processes."""

    def __init__(self, store: Path) -> None:
        self.store = store = store.resolve()
        self._claims = claims_of(store / "inflight.lock")
        self._path = store / "ledger.sqlite"
        self._reading = threading.Lock()
        self._writing = threading.Lock()
        self._queueing = threading.Lock()
        self._queue: list[Entry] = []
        self._unwritten: dict[int, Exception] = {}
        with self._explained(), self._claims.opening():
            self._refuse_to_lose_the_log()
            self._writer = self._connect()
            self._prepare()
            self._reader = self._connect()

    def _refuse_to_lose_the_log(self) -> None:
        """Raise MachineError where SQLite would begin anew, and drop what only the log has."""
        log = self._path.with_name(f"{self._path.name}-wal")
        if not self._path.exists() and log.exists() and log.stat().st_size:
            raise MachineError(
                f"{self._path}: missing, but {log.name} is there and may hold paid answers; put the"
                " file back, or get what the log has with `llm2llm ledger salvage`"
            )

    def close(self) -> None:
        """Close the database."""
        with self._reading, self._writing:
            self._reader.close()
            self._writer.close()

    def get(self, request_id: str) -> Entry | None:
        """Look one request up."""
        return self.find([request_id]).get(request_id)

    def find(self, request_ids: Iterable[str]) -> Mapping[str, Entry]:
        """Look requests up; those that the ledger lacks are not in the result."""
        with self._explained(), self._reading:
            return find(self._reader, request_ids)

    def put(self, entry: Entry) -> None:
        """Add an entry; it is on disk when this returns.

        Entries of several threads share one commit: whoever gets to write takes all that wait. An
        entry that cannot be written is its own thread's failure, and takes no other with it.
        """
        with self._queueing:
            self._queue.append(entry)
        with self._explained(), self._writing:
            with self._queueing:
                batch, self._queue = self._queue, []
            try:
                if batch:
                    self._insert(batch)
            except (sqlite3.Error, UnicodeError, OverflowError):
                for one in batch:
                    try:
                        self._insert([one])
                    except (sqlite3.Error, UnicodeError, OverflowError) as failure:
                        self._unwritten[id(one)] = failure
            failed = self._unwritten.pop(id(entry), None)
            if failed is not None:
                raise failed

    def _insert(self, entries: Sequence[Entry]) -> None:
        """Commit entries, however long another process keeps the database to itself."""
        for n_left in reversed(range(_BUSY_TIMES)):
            try:
                with self._transaction():
                    insert(self._writer, entries)
                return
            except sqlite3.OperationalError as failure:
                if not n_left or failure.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    raise

    def put_all(self, entries: Iterable[Entry]) -> None:
        """Add entries in one commit; all are on disk when this returns."""
        rows = list(entries)
        with self.writing() as connection:
            insert(connection, rows)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Hold the database for one commit: all that is written within is on disk, or nothing."""
        with self._explained(), self._writing, self._transaction():
            yield self._writer

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Hold the connection for reading."""
        with self._explained(), self._reading:
            yield self._reader

    def claim(self, request_id: str) -> bool:
        """Claim a request until `release` or the end of this process; False: another has it."""
        return self._claims.take(request_id)

    def release(self, request_id: str) -> None:
        """Give a claim back."""
        self._claims.release(request_id)

    def once(
        self, request_id: str, ask: Callable[[], Entry], pause: Callable[[float], object]
    ) -> Entry:
        """Give a request's entry; if the ledger lacks it, ask for it and keep it.

        A request that another thread or process is asking is waited for, in steps of `pause`; if
        that one dies without an answer, this one asks.
        """
        while True:
            known = self.get(request_id)
            if known is not None:
                return known
            if self._claims.take(request_id):
                try:
                    known = self.get(request_id)
                    if known is None:
                        known = ask()
                        self.put(known)
                    return known
                finally:
                    self._claims.release(request_id)
            pause(_POLL_S)

    def forget_failed(self, request_ids: Iterable[str]) -> None:
        """Remove failed requests, which held no answer, so that they can be sent again."""
        query = "DELETE FROM requests WHERE request_id = ? AND status = 'failed'"
        with self.writing() as connection:
            connection.executemany(query, [(request_id,) for request_id in request_ids])

    def charge(self, charges: Iterable[Charge]) -> None:
        """Add billed calls that brought no answer."""
        rows = list(charges)
        if not rows:
            return
        with self.writing() as connection:
            insert_charges(connection, rows)

    def spent(self, free: Collection[str]) -> Spent:
        """Sum up the requests of all backends but the `free` ones; imported ones are not ours."""
        ours = (
            f"FROM requests WHERE backend NOT IN ({', '.join('?' * len(free))})"  # noqa: S608
            " AND request_id NOT IN (SELECT request_id FROM imported)"
        )
        count = (
            "SELECT COUNT(*), COUNT(CASE WHEN status = 'answered' AND (n_prompt_tokens IS NULL"
            " OR n_completion_tokens IS NULL) THEN 1 END) "
        )
        with self._explained(), self._reading:
            n_requests, n_unknown = self._reader.execute(count + ours, list(free)).fetchone()
            answered = self._reader.execute(_SUMS + ours, list(free)).fetchone()
            lost = self._reader.execute(f"{_SUMS} FROM charges").fetchone()
            (n_lost,) = self._reader.execute("SELECT COUNT(*) FROM charges").fetchone()
        sums = [one + other for one, other in zip(answered, lost, strict=True)]
        n_prompt, n_completion, cost, n_unpriced_prompt, n_unpriced_completion = sums
        return Spent(
            n_requests=n_requests + n_lost,
            n_prompt_tokens=n_prompt,
            n_completion_tokens=n_completion,
            n_unknown=n_unknown,
            cost=cost,
            n_unpriced_prompt_tokens=n_unpriced_prompt,
            n_unpriced_completion_tokens=n_unpriced_completion,
        )

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
        )

    def _prepare(self) -> None:
        version = self._writer.execute("PRAGMA user_version").fetchone()[0]
        if version > FORMAT:
            raise MachineError(
                f"{self._path}: format {version}, expected at most {FORMAT}; a newer llm2llm"
                " wrote it: install that version"
            )
        self._writer.execute("PRAGMA journal_mode = WAL")
        # FULL: a commit survives a power cut, not only the end of the process.
        self._writer.execute("PRAGMA synchronous = FULL")
        for table in _TABLES:
            self._writer.execute(table)
        if version < FORMAT:
            self._writer.execute(f"PRAGMA user_version = {FORMAT}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._writer.execute("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as failure:
            raise MachineError(
                f"{self._path}: {failure}; it holds paid answers: do not delete it, see that the"
                " disk has room and is writable; `llm2llm ledger status` tells whether it is"
                " damaged, `llm2llm ledger salvage` reads what is left of a damaged one"
            ) from None
