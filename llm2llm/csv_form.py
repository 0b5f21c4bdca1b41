"""A CSV as people save it: its encoding, what stands between two cells, and its rows."""

import codecs
import csv
import io
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llm2llm.exceptions import DataError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_CHUNK = 1 << 20
_HEAD = 1 << 10
_SAMPLE_CHARS = 1 << 16
_SAMPLE_ROWS = 200
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def encoding_of(path: Path) -> str:
    """Tell a file's encoding: by its byte order mark or zero bytes, else UTF-8 or Windows-1252."""
    with path.open("rb") as stream:
        head = stream.read(_HEAD)
        if head.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        if head.startswith(_UTF16):
            return "utf-16"
        # Separators and line ends alone make half of such a text's bytes of one parity zero.
        for zeros, encoding in ((head[1::2], "utf-16-le"), (head[::2], "utf-16-be")):
            if 2 * zeros.count(0) > len(zeros):
                return encoding
        decoder = codecs.getincrementaldecoder("utf-8")()
        stream.seek(0)
        try:
            while chunk := stream.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


@contextmanager
def cells_of_any_length() -> Iterator[None]:
    """Lift the module's limit on a cell, which is that of the whole process, for a while."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def separator_of(path: Path, encoding: str, *, alone: bool = False) -> str:
    """Find the separator by which most of the first rows have the first row's number of cells.

    With `alone` a single column will do, otherwise it raises DataError. The name's ending tells
    what would separate a second one.
    """
    with path.open(encoding=encoding, newline="") as stream:
        try:
            sample = stream.read(_SAMPLE_CHARS)
        except UnicodeError:
            raise not_text(path) from None
    if not sample.strip():
        raise empty(path)
    best, found = (0.0, 1), ""
    for separator in SEPARATORS:
        reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
        widths = [len(row) for row in itertools.islice(reader, _SAMPLE_ROWS) if row]
        if widths and widths[0] > 1:
            score = (widths.count(widths[0]) / len(widths), widths[0])
            if score > best:
                best, found = score, separator
    if not found and alone:
        return "\t" if path.suffix.lower() == ".tsv" else ","
    if not found:
        raise DataError(
            f"{path}: found one column, expected an input and a target column, separated by"
            " commas, semicolons, tabs or bars; save it with both columns"
        )
    return found


def _each(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """Yield rows as they come, the limit lifted only while one of them is read.

    Around all of them it would be put back whenever another generator happens to end.
    """
    while True:
        limit = csv.field_size_limit(sys.maxsize)
        try:
            cells = next(rows, None)
        finally:
            csv.field_size_limit(limit)
        if cells is None:
            return
        yield cells


def cell_rows(path: Path, encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row in which a cell is filled in, with the line where it starts.

    Raises DataError where one cannot be read, or has not as many cells as the first.
    """
    with path.open(encoding=encoding, newline="") as stream:
        reader = csv.reader(stream, delimiter=separator, strict=True)
        line, width = 1, None
        try:
            for cells in _each(reader):
                if any(cell.strip() for cell in cells):
                    width = width or len(cells)
                    if len(cells) != width:
                        raise _uneven(path, line, len(cells), width, separator)
                    yield line, cells
                line = reader.line_num + 1
        except csv.Error as failure:
            raise DataError(
                f"{path}:{line}: a row begins here that cannot be read ({failure}); a quote in a"
                ' cell is written twice (""), and a cell with one, a newline or a separator is'
                " quoted"
            ) from None
        except UnicodeError:
            raise not_text(path) from None


def _uneven(path: Path, line: int, found: int, expected: int, separator: str) -> DataError:
    return DataError(
        f"{path}:{line}: found {found} cells, expected {expected} as in the first line"
        f" ({SEPARATORS[separator]} separate them); mend the row, and put a cell that holds the"
        " separator in double quotes"
    )


def empty(path: Path) -> DataError:
    """Say that a file holds nothing."""
    return DataError(
        f"{path}: empty, expected a line of column names and rows below it; save it again"
    )


def not_text(path: Path) -> DataError:
    """Say that a file is no text."""
    return DataError(
        f"{path}: neither UTF-8, UTF-16 nor Windows-1252 text; save it as CSV in UTF-8"
    )
