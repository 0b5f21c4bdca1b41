"""Read what is left of a damaged ledger into a new one."""

import itertools
import mmap
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from llm2llm.exceptions import MachineError
from llm2llm.files import link_or_copy, sync
from llm2llm.ledger.claims import claims_of
from llm2llm.ledger.database import FORMAT, Ledger, insert_charges
from llm2llm.ledger.locks import holders
from llm2llm.ledger.pages import HEADER, MAGIC, Pages, new_header
from llm2llm.ledger.reading import FAILURES, entries, integrity, reading, tables
from llm2llm.ledger.rebuilding import Found, is_named_by_request, read
from llm2llm.ledger.summary import in_flight

_NAME = "ledger.sqlite"
_OURS = {"requests", "charges", "imported"}
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What became of a ledger; with `whole` nothing was wrong, and nothing was done.

    `n_lost` entries are known to be gone, `lost` names those whose id was left; `n_mismatched`
    were not taken, as their id is not the hash of their request. Besides, `n_pages_lost` pages
    could not be read, each with any number of rows. `others` counts the rows of further tables;
    without `others_read` there may have been more of them. `batches_lost` names open batches, by
    the provider's id, else by our key, that were found and not saved, `n_owed_lost` counts what
    they owe: both are the least that is under way. `kept_as` is the name that the damaged file has
    now.
    """

    path: str
    whole: bool
    n_saved: int
    n_lost: int
    lost: list[str]
    n_mismatched: int
    n_pages_lost: int
    n_charges: int
    n_imported: int
    others: dict[str, int]
    others_read: bool
    batches_lost: list[str]
    n_owed_lost: int
    kept_as: str | None


def salvage(store: Path) -> Salvaged:
    """Put a new ledger with all that can be read in the place of a damaged one, kept aside.

    Raises MachineError where another process holds the ledger, nothing can be read in it, or it
    is of a newer format.
    """
    store = store.resolve()
    path = store / _NAME
    log = path.with_name(f"{_NAME}-wal")
    if not path.is_file() and not log.is_file():
        raise MachineError(f"{path}: no such file; a ledger comes with the first answer")
    # Who opens the ledger from now on waits; who has it open is found by its locks.
    with claims_of(store / "inflight.lock").opening():
        holding = {*in_flight(store), *holders(path)}
        if holding:
            named = ", ".join(str(pid) for pid in sorted(holding))
            raise MachineError(
                f"{path}: process {named} has the ledger open; let it end, then salvage"
            )
        return _salvage(path, log)


def _salvage(path: Path, log: Path) -> Salvaged:
    with _bytes(path) as main:
        pages = Pages(main, log.read_bytes() if log.is_file() else b"")
        _refuse_newer(path, pages)
        n_rows = None if pages.n_torn or pages.missing else _n_whole(path)
        if n_rows is not None:
            return Salvaged(
                path=str(path),
                whole=True,
                n_saved=n_rows,
                n_lost=0,
                lost=[],
                n_mismatched=0,
                n_pages_lost=0,
                n_charges=0,
                n_imported=0,
                others={},
                others_read=True,
                batches_lost=[],
                n_owed_lost=0,
                kept_as=None,
            )
        temporary = path.with_name("salvaging")
        shutil.rmtree(temporary, ignore_errors=True)
        try:
            done = _rebuild(path, log, pages, temporary)
            sync(temporary / _NAME)
            kept_as = _exchange(path, log, temporary / _NAME)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return replace(done, kept_as=kept_as)


@contextmanager
def _bytes(path: Path) -> Iterator[bytes | mmap.mmap]:
    if not path.is_file() or path.stat().st_size == 0:
        yield b""
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as main:
        yield main


def _n_whole(path: Path) -> int | None:
    """Count the entries of a ledger in which all holds; None where something does not."""
    if integrity(path):
        return None
    n_rows = 0
    try:
        with reading(path) as connection:
            for entry in entries(connection):
                if not is_named_by_request(entry.request_id, entry.request):
                    return None
                n_rows += 1
    except MachineError:
        # The integrity check does not see what is no text in a column of texts.
        return None
    return n_rows


def _refuse_newer(path: Path, pages: Pages) -> None:
    first = pages.image(1)
    if first is None or len(first) < HEADER or not first.startswith(MAGIC):
        return
    version = int.from_bytes(first[60:64], "big", signed=True)
    if version > FORMAT:
        raise MachineError(
            f"{path}: format {version}, expected at most {FORMAT}; a newer llm2llm wrote it:"
            " install that version"
        )


def _rebuild(path: Path, log: Path, pages: Pages, folder: Path) -> Salvaged:
    """Write all that can be read to a ledger in `folder`, on disk when this returns."""
    found = Found()
    folder.mkdir()
    ledger = Ledger(folder)
    with closing(ledger):
        source = read(pages, found)
        while chunk := list(itertools.islice(source, _CHUNK)):
            ledger.put_all(chunk)
        with ledger.writing() as connection:
            insert_charges(connection, [found.charges[rowid] for rowid in sorted(found.charges)])
            connection.executemany("INSERT INTO imported VALUES (?, ?)", found.imported.items())
            others, others_read = _copy_others(path, log, pages.size, folder, connection)
            batches_lost, n_owed_lost = _lost_batches(connection, found)
            (n_saved,) = connection.execute("SELECT COUNT(*) FROM requests").fetchone()
        lost = {one for one in found.lost if one}
        lost -= ledger.find(lost).keys()
        mismatched = set(found.mismatched)
        mismatched -= ledger.find(mismatched).keys()
    n_pages_lost = found.pages_lost(pages)
    if not (n_saved or found.charges or any(others.values())):
        raise MachineError(
            f"{path}: no row can be read in it, so it is left as it is; take a copy of the ledger"
            " from a backup, or rename the file to begin a new one"
        )
    problems = ["a write-ahead log is left"] if (folder / log.name).exists() else []
    problems += integrity(folder / path.name)
    if problems:
        raise MachineError(f"{folder}: the new ledger is not whole ({problems[0]}); try again")
    return Salvaged(
        path=str(path),
        whole=False,
        n_saved=n_saved,
        n_lost=len(lost) + found.lost.count(None),
        lost=sorted(lost),
        n_mismatched=len(mismatched),
        n_pages_lost=n_pages_lost,
        n_charges=len(found.charges),
        n_imported=len(found.imported),
        others=others,
        others_read=others_read,
        batches_lost=batches_lost,
        n_owed_lost=n_owed_lost,
        kept_as=None,
    )


def _copy_others(
    path: Path, log: Path, page_size: int, folder: Path, into: sqlite3.Connection
) -> tuple[dict[str, int], bool]:
    """Copy the tables that are no business of this module, as far as SQLite reads them.

    Gives the rows by table, and whether SQLite could read which tables there are. It reads a copy
    with a new header: opening the damaged file itself would write to it.
    """
    copy = folder / "copy.sqlite"
    if not path.is_file():
        return {}, False
    shutil.copyfile(path, copy)
    if log.is_file():
        shutil.copyfile(log, copy.with_name("copy.sqlite-wal"))
    with copy.open("r+b") as stream:
        stream.write(new_header(page_size))
    copied: dict[str, int] = {}
    was_read = False
    try:
        with closing(sqlite3.connect(copy)) as source:
            source.execute("PRAGMA writable_schema = ON")
            schema = source.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL"
                " ORDER BY type = 'index'"
            ).fetchall()
            # Without its first page a file reads like an empty one.
            was_read = any(name == "requests" for _, name, _, _ in schema)
            for kind, name, of, sql in schema:
                if of in _OURS or of.startswith("sqlite_"):
                    continue
                into.execute(sql)
                if kind == "table":
                    copied[name] = _copy_table(source, name, into)
    except FAILURES:
        return copied, False
    return copied, was_read


def _lost_batches(saved: sqlite3.Connection, found: Found) -> tuple[list[str], int]:
    """Name the open batches that were found and not copied, and count what they owe."""
    known: set[tuple[str, str]] = set()
    keys: set[str] = set()
    there = tables(saved)
    if "batches" in there:
        keys = {key for (key,) in saved.execute("SELECT key FROM batches")}
    if "batch_requests" in there:
        known = set(saved.execute("SELECT batch_key, request_id FROM batch_requests"))
    lost = [batch_id or key for key, batch_id in found.batches.items() if key not in keys]
    return sorted(lost), len(found.owed - known)


def _copy_table(source: sqlite3.Connection, name: str, into: sqlite3.Connection) -> int:
    """Copy a table's rows from both ends, each up to what cannot be read."""
    columns = source.execute(f'PRAGMA table_info("{name}")').fetchall()
    order = ", ".join(f'"{c[1]}" DESC' for c in sorted(columns, key=lambda c: c[5]) if c[5])
    marks = ", ".join("?" * len(columns))
    n_copied = 0
    for query in (
        f'SELECT * FROM "{name}"',  # noqa: S608 - the name of a table that is there
        f'SELECT * FROM "{name}" ORDER BY {order or "rowid DESC"}',  # noqa: S608 - as above
    ):
        try:
            for row in source.execute(query):
                done = into.execute(
                    f'INSERT OR IGNORE INTO "{name}" VALUES ({marks})',  # noqa: S608 - as above
                    row,
                )
                n_copied += done.rowcount
        except FAILURES:
            continue
        return n_copied
    return n_copied


def _exchange(path: Path, log: Path, new: Path) -> str:
    """Put the new ledger in its place; the damaged one and its log keep a name beside it."""
    aside = next(
        name
        for n in itertools.count(1)
        if not (name := path.with_name(f"{path.name}.damaged-{n}")).exists()
        and not name.with_name(f"{name.name}-wal").exists()
    )
    if path.is_file():
        link_or_copy(path, aside)
        sync(aside)
    if log.is_file() and log.stat().st_size == 0:
        log.unlink()
    elif log.is_file():
        # The old log must be gone before the new ledger stands here: SQLite would apply it.
        log.rename(aside.with_name(f"{aside.name}-wal"))
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    new.replace(path)
    sync(path.parent)
    return aside.name
