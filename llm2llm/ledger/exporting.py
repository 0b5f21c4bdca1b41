"""Write the entries of a ledger to one file, Parquet or JSON lines."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from llm2llm.exceptions import DataError
from llm2llm.files import as_json, replacing, write_records
from llm2llm.ledger.database import Entry
from llm2llm.ledger.identity import JUDGING
from llm2llm.ledger.reading import entries, reading

SUFFIXES = (".parquet", ".jsonl")


# Within a string of the request its quotes would be escaped.
_NAMES_A_PURPOSE = '"purpose":"'


@dataclass(frozen=True, slots=True)
class Exported:
    """How many entries were written, and how many of them are a judge's, which hold test items."""

    n_rows: int
    n_judged: int


def export(ledger: Path, target: Path, *, backend: str | None, since: str | None) -> Exported:
    """Write entries in the order of their ids, few in memory at a time; counts them.

    The suffix of `target` says how; `since` is a moment as the ledger writes it.
    """
    if target.suffix not in SUFFIXES:
        raise DataError(
            f"{target}: found the suffix {target.suffix or '(none)'}, expected"
            f" {' or '.join(SUFFIXES)}"
        )
    n_rows = n_judged = 0

    def counted(rows: Iterable[Entry]) -> Iterable[Entry]:
        nonlocal n_rows, n_judged
        for row in rows:
            n_rows += 1
            n_judged += _is_judging(row.request)
            yield row

    with reading(ledger) as connection:
        rows = counted(entries(connection, backend=backend, since=since))
        if target.suffix == ".parquet":
            write_records(target, Entry, rows)
        else:
            _write_lines(target, rows)
    return Exported(n_rows, n_judged)


def _is_judging(request: str) -> bool:
    return _NAMES_A_PURPOSE in request and json.loads(request).get("purpose") in JUDGING


def _write_lines(path: Path, rows: Iterable[Entry]) -> None:
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(as_json(row), ensure_ascii=False, allow_nan=False) + "\n")
