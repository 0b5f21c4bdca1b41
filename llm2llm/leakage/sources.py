"""Read texts from a JSON lines, CSV or Parquet file, one row after the other."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm2llm.csv_form import encoding_of
from llm2llm.exceptions import DataError
from llm2llm.leakage.normalize import words
from llm2llm.rows import csv_records, json_records

_PARQUET_ROWS = 1_000
_SURE = re.compile("[A-Za-z0-9]")


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row by its number, counted from 1, its text, and all of its fields."""

    number: int
    text: str
    record: Mapping[str, Any]


def read_rows(path: Path, field: str, option: str) -> Iterator[SourceRow]:
    """Yield the rows of a file, one in memory at a time; raises DataError at the first bad one.

    `.parquet` and `.csv` name the format, all else is JSON lines. `option` is what names `field` on
    the command line, for the message. A text without anything visible cannot be compared and is
    refused.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; name a JSON lines, CSV or Parquet file")
    number = 0
    for number, record in enumerate(_records(path), start=1):
        if field not in record:
            raise DataError(
                f"{path}: row {number}: field `{field}` is missing, found"
                f" {', '.join(map(str, record)) or 'no fields'}; name another with {option}"
            )
        text = record[field]
        if not isinstance(text, str) or not _is_visible(text):
            raise DataError(
                f"{path}: row {number}: field `{field}`: found {text!r:.60}, expected visible"
                f" text; mend or remove that row, or name another field with {option}"
            )
        yield SourceRow(number, text, record)
    if not number:
        raise DataError(f"{path}: no rows, expected at least one; nothing can be called clean")


def _is_visible(text: str) -> bool:
    """Look for a letter that is sure to be one, else for what a gate would compare."""
    whole = text.isascii() or text == text.encode("utf-8", "replace").decode()
    return whole and (_SURE.search(text) is not None or bool(words(text)))


def count_rows(path: Path) -> int | None:
    """Count the rows of a Parquet file; of others at most as many as they have lines."""
    if not path.is_file():
        return None
    if path.suffix == ".parquet":
        return int(_parquet(path).metadata.num_rows)
    n_lines = 0
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            n_lines += chunk.count(b"\n")
    return n_lines - (path.suffix == ".csv")


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.suffix == ".parquet":
        try:
            for batch in _parquet(path).iter_batches(batch_size=_PARQUET_ROWS):
                yield from batch.to_pylist()
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as failure:
            raise DataError(f"{path}: cannot be read as Parquet: {failure}") from None
        return
    for _, record in _csv(path) if path.suffix == ".csv" else json_records(path):
        yield record


def _parquet(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as failure:
        raise DataError(f"{path}: cannot be read as Parquet: {failure}") from None


def _csv(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    encoding = encoding_of(path)
    if encoding == "cp1252":
        # A guess, and what is read wrongly would be found equal to nothing.
        raise DataError(f"{path}: neither UTF-8 nor UTF-16; save it as CSV in UTF-8")
    return csv_records(path, encoding)
