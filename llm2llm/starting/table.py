"""A table that a person brings, in any of the usual forms, as columns of text."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from llm2llm.csv_form import encoding_of, separator_of
from llm2llm.exceptions import DataError
from llm2llm.starting.csv_table import csv_rows
from llm2llm.starting.excel import read_excel
from llm2llm.starting.json_lines import columns_of, json_rows
from llm2llm.starting.saved_dataset import (
    TABLE_FAULTS,
    frame_of,
    is_saved_dataset,
    read_saved_dataset,
)

CSV = (".csv", ".tsv", ".txt")
JSON_LINES = (".jsonl", ".ndjson")
EXCEL = (".xlsx", ".xls", ".xlsb", ".ods")
PARQUET = (".parquet", ".pq")
_MOST_OBJECTS = 0.9
# Columns that hold all options of a row's question.
OPTION_LISTS = ("options", "choices", "endings")
# What can stand between the texts of a list, and what a text must not hold for it.
_BETWEEN = {", ": [",", ";", "\n"], "|": ["|"]}
_NO_FRACTION = r"(:\d\d)\.0+"
_DAY = r"^\d{4}-\d\d-\d\d 00:00:00$"
FORMS = "CSV (.csv, .tsv, .txt), .jsonl, .parquet, Excel (.xlsx) or a folder saved by `datasets`"


@dataclass(frozen=True)
class Table:
    """Columns of text, null where a cell is empty; `lines` is where each row stands in its file.

    `nested` names columns that hold what no text can be made of and were left out, `objects` those
    of JSON objects, which are written as text, `lists` those of lists of texts, with what was
    written between the texts. `notes` tell how the file was read where that is not obvious.
    """

    path: Path
    frame: pl.DataFrame
    lines: pl.Series
    nested: tuple[str, ...]
    notes: tuple[str, ...]
    objects: tuple[str, ...] = ()
    lists: Mapping[str, str] = field(default_factory=dict)


def read_table(path: Path, *, header: bool | None = None, split: str = "train") -> Table:
    """Read a file, or the named split of a saved dataset; raises DataError where it cannot."""
    if is_saved_dataset(path):
        return _as_text(path, read_saved_dataset(path, split), None, ())
    if path.is_dir():
        raise DataError(f"{path}: a folder, and not one saved by `datasets`; expected {FORMS}")
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    suffix = path.suffix.lower()
    if suffix in CSV:
        return _csv(path, header)
    if suffix in JSON_LINES:
        frame, lines = columns_of(path, json_rows(path))
        return _as_text(path, frame, lines, ())
    if suffix in PARQUET:
        return _as_text(path, _parquet(path), None, ())
    if suffix in EXCEL:
        return _as_text(path, *read_excel(path))
    raise DataError(f"{path}: found the ending {suffix!r}, expected {FORMS}; convert the file")


def _csv(path: Path, header: bool | None) -> Table:
    encoding = encoding_of(path)
    separator = separator_of(path, encoding)
    rows = csv_rows(path, encoding, separator, header=header)
    _, names = next(rows)
    frame, lines = columns_of(
        path, ((line, dict(zip(names, cells, strict=True))) for line, cells in rows)
    )
    notes = []
    if encoding == "cp1252":
        notes.append("not UTF-8, so read as Windows-1252: look whether accents and signs are right")
    return _as_text(path, frame, lines, tuple(notes))


def _parquet(path: Path) -> pl.DataFrame:
    try:
        # Not polars' own reader, which panics on some damaged files.
        with pq.ParquetFile(path) as source:
            return frame_of(source.read())
    except (*TABLE_FAULTS, OSError) as failure:
        reason = str(failure).splitlines()[0]
        raise DataError(f"{path}: cannot be read as Parquet ({reason}); save it again") from None


def _as_text(
    path: Path,
    frame: pl.DataFrame,
    lines: pl.Series | None,
    notes: tuple[str, ...],
) -> Table:
    """Turn every plain column into stripped text, and leave out rows in which all is empty."""
    if lines is None:
        lines = pl.Series(range(1, frame.height + 1), dtype=pl.Int64)
    all_names = frame.columns
    frame = frame.select(name for name, kind in frame.schema.items() if _is_plain(kind))
    frame, lists = _written_lists(frame)
    nested = tuple(name for name in all_names if name not in frame.columns)
    plain = frame.select(_text(name, kind) for name, kind in frame.schema.items())
    if nested and plain.width == 0:
        raise DataError(
            f"{path}: found no column of text, as {', '.join(nested)} hold lists or bytes; write"
            " input and target into columns of their own"
        )
    if plain.height:
        filled = plain.select(pl.any_horizontal(pl.all().is_not_null())).to_series()
        plain, lines = _without_midnight(plain.filter(filled)), lines.filter(filled)
    if plain.height == 0:
        raise DataError(f"{path}: found no rows, expected at least one; check the file")
    objects = tuple(name for name in plain.columns if _holds_objects(plain[name]))
    return Table(path, plain, lines, nested, notes, objects, lists)


def _holds_objects(column: pl.Series) -> bool:
    """Tell whether nearly every cell looks like a JSON object; the others are faults of rows."""
    cells = column.drop_nulls()
    ends = cells.str.starts_with("{") & cells.str.ends_with("}")
    return len(cells) > 0 and int(ends.sum()) >= _MOST_OBJECTS * len(cells)


def _is_plain(kind: pl.DataType) -> bool:
    """Tell whether text can be made of a column: of lists only where they hold texts."""
    if isinstance(kind, pl.List | pl.Array):
        return isinstance(kind.inner, pl.String | pl.Categorical | pl.Enum)
    return _is_json(kind)


def _is_json(kind: pl.DataType | pl.datatypes.DataTypeClass) -> bool:
    """Tell whether polars can write a value, of an object's field too, as JSON."""
    if isinstance(kind, pl.Struct):
        return all(_is_json(part.dtype) for part in kind.fields)
    if isinstance(kind, pl.List | pl.Array):
        return _is_json(kind.inner)
    texts = isinstance(kind, pl.String | pl.Categorical | pl.Enum | pl.Boolean | pl.Null)
    return texts or kind.is_numeric() or kind.is_temporal()


def _written_lists(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, str]]:
    """Write lists of texts as sets of labels stand in a cell; leave out what nothing can separate.

    Empty lists are empty cells. Options that nothing can separate are written as JSON.
    """
    lists: dict[str, str] = {}
    for name, kind in frame.schema.items():
        if not isinstance(kind, pl.List | pl.Array):
            continue
        column = frame[name].cast(pl.List(pl.String))
        items = column.explode().drop_nulls()
        free = (
            between
            for between, taken in _BETWEEN.items()
            if not items.str.contains_any(taken).any()
        )
        between = next(free, None)
        if between is None and name.strip().casefold() in OPTION_LISTS:
            written = [None if row is None else json.dumps(list(row)) for row in column]
            frame = frame.with_columns(pl.Series(name, written, dtype=pl.String))
        elif between is None:
            frame = frame.drop(name)
        else:
            lists[name] = between
            frame = frame.with_columns(column.list.join(between).alias(name))
    return frame, lists


def _text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if isinstance(kind, pl.Struct):
        column = pl.when(column.is_not_null()).then(column.struct.json_encode())
    elif isinstance(kind, pl.Duration):
        column = column.dt.to_string("iso")
    elif isinstance(kind, pl.Datetime):
        column = column.cast(pl.String).str.replace(_NO_FRACTION, "$1")
    elif kind.is_float():
        # A spreadsheet's whole numbers are often kept as 5.0, and what is missing as NaN.
        whole = (column == column.round()) & (column.abs() < 2**53)
        text = pl.when(whole).then(column.cast(pl.Int64, strict=False).cast(pl.String))
        column = text.when(~column.is_nan()).then(column.cast(pl.String))
    stripped = column.cast(pl.String).str.strip_chars()
    return pl.when(stripped != "").then(stripped).alias(name)


def _without_midnight(frame: pl.DataFrame) -> pl.DataFrame:
    """Write columns of days, which spreadsheets keep as the first moment of each, as days."""
    days = [
        name
        for name in frame.columns
        if frame[name].null_count() < frame.height and frame[name].str.contains(_DAY).all()
    ]
    return frame.with_columns(pl.col(days).str.head(len("2024-05-03")))
