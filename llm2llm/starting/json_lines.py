"""JSON lines as a table: a text for each cell, and a list where one holds texts."""

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from llm2llm.exceptions import DataError
from llm2llm.json_cells import cell_text

# Rows that are Python objects at one time; as columns they take a tenth of that memory.
_CHUNK = 20_000
_LINE = "\0line"
_TEXTS = pl.List(pl.String)

Row = tuple[int, dict[str, Any]]


class _TwiceError(ValueError):
    """A name that stands twice in one object."""


def json_rows(path: Path) -> Iterator[Row]:
    """Yield line and object of each row; raises DataError where a line is none."""
    decoder = json.JSONDecoder(object_pairs_hook=_pairs)
    with path.open("rb") as stream:
        for line, raw in enumerate(stream, start=1):
            if not raw.strip():
                continue
            try:
                text = raw.decode("utf-8-sig" if line == 1 else "utf-8")
                value = decoder.decode(text)
            except _TwiceError as failure:
                raise DataError(
                    f"{path}:{line}: the field {str(failure)!r} stands twice in one object; keep"
                    " one of them"
                ) from None
            except RecursionError:
                raise DataError(
                    f"{path}:{line}: JSON nested too deeply; expected one JSON object per line"
                ) from None
            except ValueError as failure:
                raise DataError(
                    f"{path}:{line}: not JSON ({failure}); expected one JSON object per line"
                ) from None
            if not isinstance(value, dict):
                raise DataError(
                    f"{path}:{line}: found {type(value).__name__}, expected a JSON object per line"
                )
            yield line, value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(next(name for name in names if names.count(name) > 1))
    return found


def columns_of(path: Path, rows: Iterator[Row]) -> tuple[pl.DataFrame, pl.Series]:
    """Gather rows a chunk at a time, so that few of them are Python objects at once.

    Give columns of texts, or of lists of texts, and the lines. A column of other lists, or of lists
    and texts, is one of empty lists of objects, as nothing can be made of it.
    """
    parts: list[pl.DataFrame] = []
    unusable: set[str] = set()
    while chunk := list(itertools.islice(rows, _CHUNK)):
        columns: dict[str, pl.Series] = {}
        for name in dict.fromkeys(name for _, row in chunk for name in row):
            cells = [row.get(name) for _, row in chunk]
            made = _column(path, name, chunk, cells)
            if made is None:
                unusable.add(name)
            else:
                columns[name] = made
        parts.append(
            pl.DataFrame({**columns, _LINE: pl.Series([line for line, _ in chunk], dtype=pl.Int64)})
        )
    return _together(parts, unusable)


def _together(parts: list[pl.DataFrame], unusable: set[str]) -> tuple[pl.DataFrame, pl.Series]:
    kinds: dict[str, set[pl.DataType]] = {}
    for part in parts:
        for name, kind in part.schema.items():
            if part[name].null_count() < part.height:
                kinds.setdefault(name, set()).add(kind)
    unusable |= {name for name, found in kinds.items() if len(found) > 1}
    lists = {name for name, found in kinds.items() if _TEXTS in found} - unusable
    no_list = pl.lit(None, dtype=_TEXTS)
    whole = [
        part.drop(unusable, strict=False).with_columns(
            no_list.alias(name) for name in lists & set(part.columns) if part[name].dtype != _TEXTS
        )
        for part in parts
    ]
    frame = pl.concat(whole, how="diagonal") if whole else pl.DataFrame({_LINE: []})
    lines = frame[_LINE].cast(pl.Int64)
    empty = pl.lit(None, dtype=pl.List(pl.Null))
    return frame.drop(_LINE).with_columns(empty.alias(name) for name in sorted(unusable)), lines


def _column(path: Path, name: str, chunk: list[Row], cells: list[Any]) -> pl.Series | None:
    """Make a column of one chunk; None where lists stand among other cells, or hold no texts."""
    n_lists = sum(isinstance(cell, list) for cell in cells)
    if n_lists:
        there = [cell for cell in cells if cell is not None]
        if len(there) > n_lists or not all(isinstance(t, str) for cell in there for t in cell):
            return None
    values = cells if n_lists else [cell_text(cell) for cell in cells]
    try:
        return pl.Series(name, values, dtype=_TEXTS if n_lists else pl.String)
    except UnicodeEncodeError:
        raise DataError(
            f"{path}:{_line_of_half_a_pair(name, chunk, values)}: field {name!r}: holds half of a"
            " surrogate pair, expected whole characters; mend it"
        ) from None


def _line_of_half_a_pair(name: str, chunk: list[Row], values: list[Any]) -> int:
    for (line, row), value in zip(chunk, values, strict=True):
        if name in row:
            try:
                "".join([name, *(value or "")]).encode()
            except UnicodeEncodeError:
                return line
    return chunk[0][0]
