"""The first sheet of a spreadsheet's file as columns of text."""

from pathlib import Path

import polars as pl

from llm2llm.exceptions import DataError, MachineError
from llm2llm.extras import install_line
from llm2llm.starting.csv_table import whole_names

_SAMPLE_ROWS = 200


def read_excel(path: Path) -> tuple[pl.DataFrame, pl.Series, tuple[str, ...]]:
    """Read columns, each row's number in the sheet, and notes; the first row filled in has names.

    A formula's cell holds its last value; one that was never computed, or failed, is empty.
    """
    try:
        import fastexcel
    except ModuleNotFoundError:
        raise MachineError(
            f"{path}: Excel files need the package fastexcel; run `{install_line('fastexcel')}`,"
            " or save the sheet as CSV"
        ) from None
    try:
        sheets = fastexcel.read_excel(path)
        # As it stands: left to itself the reader drops empty rows and renames equal columns.
        whole = sheets.load_sheet(0, header_row=None, skip_rows=0, dtypes="string").to_polars()
        sheet_names = list(sheets.sheet_names)
    except fastexcel.FastExcelError as failure:
        raise DataError(
            f"{path}: cannot be read as an Excel file ({str(failure).splitlines()[0]}); save it"
            " again, or as CSV"
        ) from None
    notes: tuple[str, ...] = ()
    if len(sheet_names) > 1:
        notes = (f"read the sheet {sheet_names[0]!r}, the first of {len(sheet_names)}",)
    top = next((k for k, cells in enumerate(whole.iter_rows()) if any(cells)), None)
    if top is None:
        raise DataError(f"{path}: found no rows, expected at least one; check its first sheet")
    below = whole.slice(top + 1)
    first = [(cell or "").strip() for cell in whole.row(top)]
    names = whole_names(path, top + 1, first, below.head(_SAMPLE_ROWS).iter_rows())
    numbers = pl.Series(range(top + 2, whole.height + 1), dtype=pl.Int64)
    return below.rename(dict(zip(whole.columns, names, strict=True))), numbers, notes
