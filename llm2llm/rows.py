"""Rows of a table that a person brings, one at a time: JSON lines, CSV or Parquet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm2llm.csv_form import cell_rows, encoding_of, separator_of
from llm2llm.exceptions import DataError

_SHOWN = 60
_BATCH = 1_000


def stream_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and fields of each row: the line where it starts, in Parquet its count from 1.

    The name's ending says which form it is. Raises DataError that names file and row where one
    cannot be read.
    """
    readers = {
        **dict.fromkeys((".jsonl", ".ndjson"), json_records),
        **dict.fromkeys((".csv", ".tsv", ".txt"), _csv),
        **dict.fromkeys((".parquet", ".pq"), _parquet),
    }
    if path.suffix.lower() not in readers:
        raise DataError(
            f"{path}: found the ending {path.suffix!r}, expected one of {', '.join(readers)};"
            " rename or convert the file"
        )
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    yield from readers[path.suffix.lower()](path)


def json_records(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line and object of each row of JSON lines, which no ending need tell."""
    with path.open("rb") as stream:
        for line, raw in enumerate(stream, start=1):
            if not raw.strip():
                continue
            try:
                value = json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"))
            except UnicodeDecodeError as failure:
                raise DataError(f"{path}:{line}: not UTF-8 ({failure}); save it as UTF-8") from None
            except (ValueError, RecursionError) as failure:
                raise DataError(
                    f"{path}:{line}: not JSON ({failure}); expected one JSON object per line"
                ) from None
            if not isinstance(value, dict):
                raise DataError(f"{path}:{line}: found {_short(value)}, expected a JSON object")
            yield line, value


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    return csv_records(path, encoding_of(path))


def csv_records(path: Path, encoding: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line and cells of each row by the columns' names, which `llm2llm init` gives too."""
    rows = cell_rows(path, encoding, separator_of(path, encoding, alone=True))
    names: list[str] = []
    for line, cells in rows:
        if names:
            yield line, dict(zip(names, cells, strict=True))
            continue
        names = [cell.strip() or f"column_{k}" for k, cell in enumerate(cells, 1)]
        if len(set(names)) < len(names):
            raise DataError(
                f"{path}:{line}: found a column name twice in {_short(cells)}; rename one"
            )


def _parquet(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    number = 0
    try:
        with pq.ParquetFile(path) as source:
            for batch in source.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as failure:
        raise DataError(f"{path}: cannot be read as Parquet: {failure}") from None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
