"""A table that a person brings, in any of the usual forms, as columns of text."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from llm2llm.exceptions import DataError, MachineError
from llm2llm.extras import install_line
from llm2llm.starting.csv_table import csv_rows, encoding_of, separator_of
from llm2llm.starting.saved_dataset import is_saved_dataset, read_saved_dataset

# Rows that are Python objects at one time; as columns they take a tenth of that memory.
_CHUNK = 20_000
_LINE = "\0line"

CSV = (".csv", ".tsv", ".txt")
JSON_LINES = (".jsonl", ".ndjson")
EXCEL = (".xlsx", ".xls", ".xlsb", ".ods")
PARQUET = (".parquet", ".pq")
FORMS = "CSV (.csv, .tsv, .txt), .jsonl, .parquet, Excel (.xlsx) or a folder saved by `datasets`"


@dataclass(frozen=True)
class Table:
    """Columns of text, null where a cell is empty; `lines` is where each row stands in its file.

    `nested` names columns that hold lists and were left out, `objects` those of JSON objects, which
    are written as text. `notes` tell how the file was read where that is not obvious.
    """

    path: Path
    frame: pl.DataFrame
    lines: pl.Series
    nested: tuple[str, ...]
    notes: tuple[str, ...]
    objects: tuple[str, ...] = ()


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
        frame, lines = _columns(_json_lines(path))
        return _as_text(path, frame, lines, ())
    if suffix in PARQUET:
        return _as_text(path, _read(path, "Parquet", pl.read_parquet), None, ())
    if suffix in EXCEL:
        return _excel(path)
    raise DataError(f"{path}: found the ending {suffix!r}, expected {FORMS}; convert the file")


def _csv(path: Path, header: bool | None) -> Table:
    encoding = encoding_of(path)
    separator = separator_of(path, encoding)
    rows = csv_rows(path, encoding, separator, header=header)
    _, names = next(rows)
    frame, lines = _columns((line, dict(zip(names, cells, strict=True))) for line, cells in rows)
    notes = []
    if encoding == "cp1252":
        notes.append("not UTF-8, so read as Windows-1252: look whether accents and signs are right")
    return _as_text(path, frame, lines, tuple(notes), names=names)


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
                raise DataError(
                    f"{path}:{line}: found {type(value).__name__}, expected a JSON object per line"
                )
            yield line, {name: _json_text(cell) for name, cell in value.items()}


# Marks a JSON cell that is a list; no text of a file can hold half a surrogate pair.
_NESTED = "\udc00"


def _json_text(cell: Any) -> str | None:
    if isinstance(cell, list):
        return _NESTED
    if isinstance(cell, dict):
        return json.dumps(cell, ensure_ascii=False)
    if cell is None or isinstance(cell, str):
        return cell
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else json.dumps(cell)


def _columns(rows: Iterable[tuple[int, dict[str, Any]]]) -> tuple[pl.DataFrame, pl.Series]:
    """Gather rows a chunk at a time, so that few of them are Python objects at once."""
    waiting, parts = iter(rows), []
    nested: set[str] = set()
    while chunk := list(itertools.islice(waiting, _CHUNK)):
        names = dict.fromkeys(name for _, row in chunk for name in row)
        columns: dict[str, list[Any]] = {}
        for name in names:
            cells = [row.get(name) for _, row in chunk]
            if _NESTED in cells:
                nested.add(name)
                cells = [None] * len(cells)
            columns[name] = cells
        lines = [line for line, _ in chunk]
        schema = {**dict.fromkeys(columns, pl.String), _LINE: pl.Int64}
        try:
            parts.append(pl.DataFrame({**columns, _LINE: lines}, schema=schema))
        except UnicodeEncodeError:
            raise DataError(
                f"lines {lines[0]} to {lines[-1]}: a text holds half of a surrogate pair, expected"
                " whole characters; mend it"
            ) from None
    frame = pl.concat(parts, how="diagonal") if parts else pl.DataFrame({_LINE: []})
    lines_of_rows = frame[_LINE].cast(pl.Int64)
    frame = frame.drop(_LINE)
    return frame.with_columns(
        pl.lit(None, dtype=pl.List(pl.String)).alias(name) for name in sorted(nested)
    ), lines_of_rows


def _excel(path: Path) -> Table:
    try:
        import fastexcel
    except ModuleNotFoundError:
        raise MachineError(
            f"{path}: Excel files need the package fastexcel; run `{install_line('fastexcel')}`,"
            " or save the sheet as CSV"
        ) from None
    try:
        sheets = fastexcel.read_excel(path)
        frame = sheets.load_sheet(0, dtypes="string").to_polars()
        names = list(sheets.sheet_names)
    except fastexcel.FastExcelError as failure:
        raise DataError(
            f"{path}: cannot be read as an Excel file ({str(failure).splitlines()[0]}); save it"
            " again, or as CSV"
        ) from None
    notes = (f"read the sheet {names[0]!r}, the first of {len(names)}",) if len(names) > 1 else ()
    lines = pl.Series(range(2, frame.height + 2), dtype=pl.Int64)
    return _as_text(path, frame, lines, notes)


def _read(path: Path, form: str, read: Callable[[Path], pl.DataFrame]) -> pl.DataFrame:
    try:
        return read(path)
    except (pl.exceptions.PolarsError, OSError) as failure:
        reason = str(failure).splitlines()[0]
        raise DataError(f"{path}: cannot be read as {form} ({reason}); save it again") from None


def _as_text(
    path: Path,
    frame: pl.DataFrame,
    lines: pl.Series | None,
    notes: tuple[str, ...],
    names: list[str] | None = None,
) -> Table:
    """Turn every plain column into stripped text, and leave out rows in which all is empty."""
    if lines is None:
        lines = pl.Series(range(1, frame.height + 1), dtype=pl.Int64)
    structs = [name for name, kind in frame.schema.items() if kind == pl.Struct]
    frame = frame.with_columns(
        pl.when(pl.col(name).is_not_null()).then(pl.col(name).struct.json_encode()).alias(name)
        for name in structs
    )
    nested = tuple(
        name
        for name, kind in frame.schema.items()
        if kind.is_nested() or kind in (pl.Binary, pl.Object)
    )
    plain = frame.drop(nested).select(_text(name, kind) for name, kind in _plain(frame, nested))
    if names and plain.width == 0:
        plain = pl.DataFrame({name: pl.Series([], dtype=pl.String) for name in names})
    there = pl.any_horizontal(pl.all().is_not_null()) if plain.width else pl.lit(value=False)
    mask = plain.select(there.alias("there"))["there"] if plain.height else None
    if mask is not None:
        plain, lines = plain.filter(mask), lines.filter(mask)
    if plain.height == 0:
        raise DataError(f"{path}: found no rows, expected at least one; check the file")
    objects = tuple(name for name in plain.columns if _holds_objects(plain[name]))
    return Table(path, plain, lines, nested, notes, objects)


def _holds_objects(column: pl.Series) -> bool:
    """Tell whether every cell looks like a JSON object."""
    cells = column.drop_nulls()
    ends = cells.str.starts_with("{") & cells.str.ends_with("}")
    return len(cells) > 0 and bool(ends.all())


def _plain(frame: pl.DataFrame, nested: tuple[str, ...]) -> Iterator[tuple[str, pl.DataType]]:
    return ((name, kind) for name, kind in frame.schema.items() if name not in nested)


def _text(name: str, kind: pl.DataType) -> pl.Expr:
    column = pl.col(name)
    if kind.is_float():
        # A spreadsheet's whole numbers are often kept as 5.0.
        whole = (column == column.round()) & (column.abs() < 2**53)
        text = pl.when(whole).then(column.cast(pl.Int64, strict=False).cast(pl.String))
        column = text.otherwise(column.cast(pl.String))
    stripped = column.cast(pl.String).str.strip_chars()
    return pl.when(stripped != "").then(stripped).alias(name)
