"""A CSV as people save it: any usual separator and encoding, and a header that may be missing."""

import codecs
import csv
import io
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

from llm2llm.exceptions import DataError
from llm2llm.quantities import number

_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_CHUNK = 1 << 20
_SAMPLE_CHARS = 1 << 16
_SAMPLE_ROWS = 200
# Names of columns are shorter than this.
_LONG_NAME = 60
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def encoding_of(path: Path) -> str:
    """Tell a file's encoding: by its byte order mark, else UTF-8, else Windows-1252."""
    with path.open("rb") as stream:
        head = stream.read(4)
        if head.startswith(codecs.BOM_UTF8):
            return "utf-8-sig"
        if head.startswith(_UTF16):
            return "utf-16"
        decoder = codecs.getincrementaldecoder("utf-8")()
        stream.seek(0)
        try:
            while chunk := stream.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def csv_rows(
    path: Path, encoding: str, separator: str, *, header: bool | None
) -> Iterator[tuple[int, list[str]]]:
    """Yield the names of the columns, then each row with the line where it starts.

    `header` says whether the first line names the columns; null: it must look as if it did.
    """
    with path.open(encoding=encoding, newline="") as stream:
        rows = _checked(path, stream, separator)
        first = next(rows, None)
        if first is None:
            raise DataError(f"{path}: empty, expected a line of column names and rows below it")
        ahead = list(itertools.islice(rows, _SAMPLE_ROWS))
        names = [cell.strip() for cell in first[1]]
        if header is None:
            _require_header(path, names, [cells for _, cells in ahead])
        if header is False:
            names = [f"column_{k + 1}" for k in range(len(names))]
            ahead.insert(0, first)
        names = [name or f"column_{k + 1}" for k, name in enumerate(names)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise DataError(
                f"{path}:1: found the column name {twice[0]!r} twice; give each column its own"
            )
        yield first[0], names
        for line, cells in itertools.chain(ahead, rows):
            if len(cells) != len(names):
                raise DataError(
                    f"{path}:{line}: found {len(cells)} cells, expected {len(names)} as in the"
                    f" first line ({_SEPARATORS[separator]} separate them); mend the row, and put"
                    " a cell that holds the separator in double quotes"
                )
            yield line, cells


def separator_of(path: Path, encoding: str) -> str:
    """Find the separator by which most of the first rows have the first row's number of cells."""
    with path.open(encoding=encoding, newline="") as stream:
        try:
            sample = stream.read(_SAMPLE_CHARS)
        except UnicodeError:
            raise _not_text(path) from None
    best, found = (0.0, 1), ""
    for separator in _SEPARATORS:
        reader = csv.reader(io.StringIO(sample), delimiter=separator)
        widths = [len(row) for row in itertools.islice(reader, _SAMPLE_ROWS) if row]
        if widths and widths[0] > 1:
            score = (widths.count(widths[0]) / len(widths), widths[0])
            if score > best:
                best, found = score, separator
    if not found:
        raise DataError(
            f"{path}: found one column, expected an input and a target column, separated by"
            " commas, semicolons, tabs or bars; save it with both columns"
        )
    return found


def _checked(path: Path, stream: io.TextIOBase, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(stream, delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as failure:
        raise DataError(
            f"{path}:{line}: a row begins here that cannot be read ({failure}); a quote in a cell"
            ' is written twice (""), and a cell with one, a newline or a separator is quoted'
        ) from None
    except UnicodeError:
        raise _not_text(path) from None


def _not_text(path: Path) -> DataError:
    return DataError(
        f"{path}: neither UTF-8, UTF-16 nor Windows-1252 text; save it as CSV in UTF-8"
    )


def _require_header(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
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
                f"{path}:1: found {shown!r}, which {why}, where the name of a column is expected;"
                " add a first line such as `text,label`, or say --no-header (the columns are then"
                " column_1, column_2, ...) or --header"
            )
