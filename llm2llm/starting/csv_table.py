"""A CSV as people save it: any usual separator and encoding, and a header that may be missing."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from llm2llm.csv_form import cell_rows, empty
from llm2llm.exceptions import DataError
from llm2llm.quantities import number

_SAMPLE_ROWS = 200
# Names of columns are shorter than this.
_LONG_NAME = 60


def csv_rows(
    path: Path, encoding: str, separator: str, *, header: bool | None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the names of the columns, then each row with the line where it starts.

    `header` says whether the first line names the columns; null: it must look as if it did.
    """
    rows = cell_rows(path, encoding, separator)
    first = next(rows, None)
    if first is None:
        raise empty(path)
    line, cells = first
    ahead = list(itertools.islice(rows, _SAMPLE_ROWS))
    names = [cell.strip() for cell in cells]
    if header is None:
        _require_header(path, line, names, [cells for _, cells in ahead])
    if header is False:
        names = [f"column_{k + 1}" for k in range(len(names))]
        ahead.insert(0, first)
    yield line, whole_names(path, line, names, [cells for _, cells in ahead])
    yield from ahead
    yield from rows


def whole_names(
    path: Path, line: int, names: Sequence[str], below: Iterable[Sequence[str | None]]
) -> list[str]:
    """Name the columns that have no name by their places; raises DataError for names that clash.

    `below` are the first rows. A line that lacks most of the names is taken for a title above them.
    """
    filled = {k for cells in below for k, cell in enumerate(cells) if cell and cell.strip()}
    n_unnamed = sum(not name and k in filled for k, name in enumerate(names))
    n_named = sum(map(bool, names))
    if n_unnamed > n_named:
        raise DataError(
            f"{path}:{line}: found {n_named} names for {n_named + n_unnamed} columns, expected"
            " a name for each; delete what stands above the line of names"
        )
    whole = [name or f"column_{k}" for k, name in enumerate(names, start=1)]
    twice = sorted({name for name in whole if whole.count(name) > 1})
    if twice:
        raise DataError(
            f"{path}:{line}: found the column name {twice[0]!r} twice; give each column its own"
        )
    return whole


def _require_header(
    path: Path, line: int, names: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """Raise DataError where the first line holds what only a row would."""
    for k, name in enumerate(names):
        below = {cells[k].strip() for cells in rows if k < len(cells)}
        why = None
        if name and name in below:
            why = "occurs again below"
        elif len(name) > _LONG_NAME:
            why = f"is {len(name)} characters long"
        elif name and number(name) is not None and name[:1].isdigit():
            why = "is a number"
        if why:
            shown = name if len(name) <= _LONG_NAME else name[:_LONG_NAME] + "..."
            raise DataError(
                f"{path}:{line}: found {shown!r}, which {why}, where the name of a column is"
                " expected; add a first line such as `text,label`, or say --no-header (the columns"
                " are then column_1, column_2, ...) or --header"
            )
