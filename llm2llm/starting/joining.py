"""Columns made one: inputs as lines, targets as JSON objects, lists of two files written alike."""

import dataclasses
from collections.abc import Mapping, Sequence

import polars as pl

from llm2llm.exceptions import DataError, ParamsError
from llm2llm.json_cells import NUMBER, joined_cells
from llm2llm.starting.columns import no_such_column
from llm2llm.starting.table import Table

# What a table's lists are written with.
_COMMAS, _BAR = ", ", "|"


def column_types(table: Table, targets: Sequence[str]) -> dict[str, str]:
    """Say of each column whether its cells are numbers, true and false, or texts."""
    for place, name in enumerate(targets):
        if name not in table.frame.columns:
            raise ParamsError(no_such_column(table, "--target", name))
        if name in targets[:place]:
            raise ParamsError(f"--target: found {name!r} twice; name each column once")
    types = {}
    for name in targets:
        if name in table.lists:
            types[name] = "list"
            continue
        cells = [cell for cell in table.frame[name].to_list() if cell is not None]
        if cells and all(NUMBER.fullmatch(cell) for cell in cells):
            types[name] = "number"
        elif cells and all(cell.casefold() in ("true", "false") for cell in cells):
            types[name] = "bool"
        else:
            types[name] = "text"
    return types


def joined(table: Table, types: Mapping[str, str], column: str | None = None) -> tuple[Table, str]:
    """Put a column of objects, null where all cells are empty, in place of these; give its name.

    Without `column` it is one that the table does not have.
    """
    for name in types:
        if name not in table.frame.columns:
            raise ParamsError(no_such_column(table, "--target", name))
    column = column or _new(table, "answer")
    lists = [pl.col(name).str.split(between) for name, between in table.lists.items()]
    rows = table.frame.with_columns(lists).select(list(types)).iter_rows(named=True)
    cells = pl.Series(column, [joined_cells(types, row) for row in rows], dtype=pl.String)
    frame = table.frame.drop(list(types)).with_columns(cells)
    return dataclasses.replace(table, frame=frame), column


def joined_inputs(
    table: Table, inputs: Sequence[str], column: str | None = None, *, keep: str | None = None
) -> tuple[Table, str]:
    """Put a column of lines `name: cell` in place of these, but for one to keep; give its name.

    Empty cells have no line; null where all are empty. Without `column` it is one that the table
    does not have.
    """
    for place, name in enumerate(inputs):
        if name not in table.frame.columns:
            raise ParamsError(no_such_column(table, "--input", name))
        if name in inputs[:place]:
            raise ParamsError(f"--input: found {name!r} twice; name each column once")
    column = column or _new(table, "input")
    cells = [as_lines(row) for row in table.frame.select(inputs).iter_rows(named=True)]
    frame = table.frame.drop(name for name in inputs if name != keep)
    frame = frame.with_columns(pl.Series(column, cells, dtype=pl.String))
    return dataclasses.replace(table, frame=frame), column


def as_lines(row: Mapping[str, str | None]) -> str | None:
    """Write cells as lines `name: cell`, but for empty ones; null where all are."""
    return "\n".join(f"{name}: {cell}" for name, cell in row.items() if cell is not None) or None


def _new(table: Table, column: str) -> str:
    while column in table.frame.columns:
        column += "_"
    return column


def separated_alike(one: Table, other: Table, column: str) -> tuple[Table, Table]:
    """Put bars between a column's texts in both tables where they stand in one of them."""
    if {table.lists.get(column) for table in (one, other)} != {_COMMAS, _BAR}:
        return one, other
    return _with_bars(one, column), _with_bars(other, column)


def _with_bars(table: Table, column: str) -> Table:
    cells = table.frame[column]
    if table.lists[column] == _BAR:
        return table
    if cells.str.contains(_BAR, literal=True).any():
        raise DataError(
            f"{table.path}: the column `{column}` holds texts with a bar, and the other file's hold"
            " commas, semicolons or line ends, so nothing can stand between two; rename them"
        )
    frame = table.frame.with_columns(cells.str.replace_all(_COMMAS, _BAR, literal=True))
    return dataclasses.replace(table, frame=frame, lists={**table.lists, column: _BAR})
