"""Read a ledger without writing to it, whoever else has it open."""

import dataclasses
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from llm2llm.exceptions import MachineError
from llm2llm.ledger.database import FORMAT, Entry

COLUMNS = tuple(field.name for field in dataclasses.fields(Entry))
_BUSY_S = 60.0
# Reading a damaged file can also fail in a message of SQLite's that quotes broken text.
FAILURES = (sqlite3.Error, UnicodeDecodeError)


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a ledger file for one read; what is written meanwhile is not seen.

    Raises MachineError for a file that is not there, is damaged or is of a newer format.
    """
    if not path.is_file():
        raise MachineError(f"{path}: no such file; a ledger comes with the first answer")
    try:
        with closing(_connect(path)) as connection:
            check_format(path, connection)
            connection.execute("BEGIN")
            yield connection
    except FAILURES as failure:
        raise MachineError(
            f"{path}: {failure}; `llm2llm ledger status` tells whether a project's ledger is"
            " damaged, `llm2llm ledger salvage` reads what is left of it"
        ) from None


def check_format(path: Path, connection: sqlite3.Connection) -> int:
    """Give a ledger's format; raises MachineError for a newer one."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > FORMAT:
        raise MachineError(
            f"{path}: format {version}, expected at most {FORMAT}; a newer llm2llm wrote it:"
            " install that version"
        )
    return version


def tables(connection: sqlite3.Connection) -> set[str]:
    """Name the tables of a ledger: an older format lacks some, a new file all."""
    rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in rows}


def entries(
    connection: sqlite3.Connection, *, backend: str | None = None, since: str | None = None
) -> Iterator[Entry]:
    """Yield entries in the order of their ids, one at a time; `since` compares with `created`."""
    if "requests" not in tables(connection):
        return
    query = f"SELECT {', '.join(COLUMNS)} FROM requests"  # noqa: S608 - names of our own fields
    where = {"backend = ?": backend, "created >= ?": since}
    asked = {condition: value for condition, value in where.items() if value is not None}
    if asked:
        query += f" WHERE {' AND '.join(asked)}"
    rows = connection.execute(f"{query} ORDER BY request_id", list(asked.values()))
    yield from (Entry(*row) for row in rows)


def integrity(path: Path) -> list[str]:
    """List what SQLite finds wrong in a file; empty where all holds."""
    try:
        with closing(_connect(path)) as connection:
            found = [str(line) for (line,) in connection.execute("PRAGMA integrity_check")]
    except FAILURES as failure:
        return [str(failure)]
    return [] if found == ["ok"] else found


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=_BUSY_S, isolation_level=None
    )
