"""Rows of a table that a person brings, one at a time: JSON lines, CSV or Parquet."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm2llm.exceptions import DataError

_SHOWN = 60
_BATCH = 1_000


def stream_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield number and fields of each row: the line where it starts, in Parquet its count from 1.

    The name's ending says which form it is. Raises DataError that names file and row where one
    cannot be read.
    """
    readers = {".jsonl": _json_lines, ".ndjson": _json_lines, ".csv": _csv, ".parquet": _parquet}
    if path.suffix.lower() not in readers:
        raise DataError(
            f"{path}: found the ending {path.suffix!r}, expected one of {', '.join(readers)};"
            " rename or convert the file"
        )
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    yield from readers[path.suffix.lower()](path)


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as stream:
        for line, raw in enumerate(stream, start=1):
            if not raw.strip():
                continue
            try:
                value = json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"))
            except ValueError as failure:
                raise DataError(
                    f"{path}:{line}: not JSON ({failure}); expected one JSON object per line"
                ) from None
            if not isinstance(value, dict):
                raise DataError(f"{path}:{line}: found {_short(value)}, expected a JSON object")
            yield line, value


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, strict=True)
        names: list[str] | None = None
        line = 1
        try:
            for cells in reader:
                if names is None:
                    names = cells
                    if len(set(names)) < len(names):
                        raise DataError(
                            f"{path}:1: found a column name twice in {_short(cells)}; rename one"
                        )
                elif cells:
                    if len(cells) != len(names):
                        raise DataError(
                            f"{path}:{line}: found {len(cells)} cells, expected {len(names)} as in"
                            " the first line; mend the row"
                        )
                    yield line, dict(zip(names, cells, strict=True))
                line = reader.line_num + 1
        except (csv.Error, UnicodeDecodeError) as failure:
            raise DataError(
                f"{path}:{line}: not CSV ({failure}); save it as CSV in UTF-8"
            ) from None


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
