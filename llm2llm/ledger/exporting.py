"""Write the entries of a ledger to one file, Parquet or JSON lines."""

import json
from collections.abc import Iterable
from pathlib import Path

from llm2llm.exceptions import DataError
from llm2llm.files import as_json, replacing, write_records
from llm2llm.ledger.database import Entry
from llm2llm.ledger.reading import entries, reading

SUFFIXES = (".parquet", ".jsonl")


def export(ledger: Path, target: Path, *, backend: str | None, since: str | None) -> int:
    """Write entries in the order of their ids, few in memory at a time; gives their number.

    The suffix of `target` says how; `since` is a moment as the ledger writes it.
    """
    if target.suffix not in SUFFIXES:
        raise DataError(
            f"{target}: found the suffix {target.suffix or '(none)'}, expected"
            f" {' or '.join(SUFFIXES)}"
        )
    n_rows = 0

    def counted(rows: Iterable[Entry]) -> Iterable[Entry]:
        nonlocal n_rows
        for row in rows:
            n_rows += 1
            yield row

    with reading(ledger) as connection:
        rows = counted(entries(connection, backend=backend, since=since))
        if target.suffix == ".parquet":
            write_records(target, Entry, rows)
        else:
            _write_lines(target, rows)
    return n_rows


def _write_lines(path: Path, rows: Iterable[Entry]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(as_json(row), ensure_ascii=False, allow_nan=False) + "\n")
