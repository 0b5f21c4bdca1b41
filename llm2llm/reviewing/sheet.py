"""The sheet that a reviewer fills in: CSV that any spreadsheet opens as text, or Parquet."""

import csv
import io
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm2llm.csv_form import cells_of_any_length, encoding_of
from llm2llm.exceptions import DataError
from llm2llm.files import replacing, write_records
from llm2llm.records.decisions import Decision
from llm2llm.reviewing.risk import Risk

FILLED_IN = ("decision", "note", "edited_input", "edited_target")
OWN_TEXTS = ("input", "target")
# Excel cuts longer cells off (Microsoft, "Excel specifications and limits").
MOST_CHARACTERS = 32_767

# What a spreadsheet takes for a formula at the start of a cell (OWASP, "CSV Injection"); one
# apostrophe before it is written, and taken off again when the sheet comes back.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_SEPARATORS = ",;\t|"


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One example to review; the last four columns are the reviewer's.

    `rank` is 1 for the riskiest. `votes` is such as `2 of 3`, null where none voted.
    """

    example_id: str
    seed_id: str
    iteration: int
    seed_input: str
    seed_target: str
    input: str
    target: str
    rank: int
    votes: str | None
    nearest_test_score: float | None
    length: int
    first_of_seed: bool
    why: str
    decision: str | None
    note: str | None
    edited_input: str | None
    edited_target: str | None


COLUMNS = tuple(field.name for field in fields(SheetRow))


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows that came back, each with its number in the sheet; empty cells are empty texts.

    In a CSV the header is row 1, as spreadsheets count, in Parquet the first row. `ignored`
    columns are not of the sheet; `encoding` is null for Parquet.
    """

    path: Path
    rows: list[tuple[int, dict[str, str]]]
    ignored: list[str]
    encoding: str | None


def sheet_row(rank: int, risk: Risk, decision: Decision | None) -> SheetRow:
    """Lay one example out, with the decision about it if there is one."""
    example = risk.example
    assert example.iteration is not None
    return SheetRow(
        example_id=example.example_id,
        seed_id=example.seed_id,
        iteration=example.iteration,
        seed_input=risk.seed.input,
        seed_target=risk.seed.target,
        input=example.input,
        target=example.target,
        rank=rank,
        votes=f"{risk.n_agreeing} of {risk.n_votes}" if risk.n_votes else None,
        nearest_test_score=risk.nearest_test_score,
        length=risk.length,
        first_of_seed=risk.first_of_seed,
        why=risk.told,
        decision=decision.decision if decision else None,
        note=decision.note if decision else None,
        edited_input=decision.input if decision else None,
        edited_target=decision.target if decision else None,
    )


def write_sheet(path: Path, rows: Sequence[SheetRow]) -> None:
    """Write CSV (UTF-8 with the mark that Excel looks for) or Parquet, by the name's ending."""
    if form_of(path) == ".parquet":
        write_records(path, SheetRow, rows)
        return
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8-sig", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        writer.writerows([_cell(getattr(row, name)) for name in COLUMNS] for row in rows)


def form_of(path: Path) -> str:
    """Give a sheet's ending; raises DataError for one that is none of the two forms."""
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise DataError(
            f"{path}: found the ending {suffix!r}, expected .csv or .parquet; in a spreadsheet"
            " save it as CSV in UTF-8"
        )
    return suffix


def read_sheet(path: Path) -> Sheet:
    """Read a sheet that was filled in; raises DataError where it is none."""
    suffix = form_of(path)
    if not path.is_file():
        out = shlex.quote(str(path))
        raise DataError(f"{path}: no such file; `llm2llm review export --out {out}` writes one")
    if suffix == ".parquet":
        names, rows = _parquet(path)
        encoding = None
    else:
        encoding = encoding_of(path)
        names, rows = _csv(path, encoding)
    for name in ("example_id", "decision"):
        if names.count(name) != 1:
            raise DataError(
                f"{path}: found {names.count(name)} columns `{name}`, expected one among"
                f" {', '.join(names)[:200]}; fill in the sheet that `llm2llm review export` wrote"
            )
    twice = [name for name in FILLED_IN if names.count(name) > 1]
    if twice:
        raise DataError(f"{path}: found the column `{twice[0]}` twice; keep one")
    ignored = [name for name in names if name and name not in COLUMNS]
    return Sheet(path, rows, ignored, encoding)


def guarded(text: str) -> str:
    """Keep a spreadsheet from reading a text as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguarded(cell: str) -> str:
    """Undo `guarded`, and nothing else."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, float):
        return f"{value:.4f}"
    return "" if value is None else str(value)


def _csv(path: Path, encoding: str) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        text = path.read_bytes().decode(encoding)
    except UnicodeError:
        raise DataError(
            f"{path}: neither UTF-8, UTF-16 nor Windows-1252 text; save it as CSV in UTF-8"
        ) from None
    source = io.StringIO(text, newline="")
    reader = csv.reader(source, delimiter=_separator(path, text), strict=True)
    names: list[str] = []
    rows = []
    number = 0
    try:
        with cells_of_any_length():
            for number, cells in enumerate(reader, start=1):
                if number == 1:
                    names = [cell.strip() for cell in cells]
                    continue
                # Excel leaves out empty cells at the end of a row.
                spare = cells[len(names) :]
                if any(cell.strip() for cell in spare):
                    raise DataError(
                        f"{path}: row {number}: found {len(cells)} cells, expected {len(names)} as"
                        " in the first row; a cell with a separator, a quote or a newline stands"
                        " in double quotes"
                    )
                row = dict(zip(names, map(unguarded, cells), strict=False))
                if any(cell.strip() for cell in row.values()):
                    rows.append((number, {name: row.get(name, "") for name in names}))
    except csv.Error as failure:
        raise DataError(
            f"{path}: row {number + 1}: cannot be read ({failure}); save it as CSV again"
        ) from None
    return names, rows


def _separator(path: Path, text: str) -> str:
    """Find the separator that parts the names of the columns."""
    lines = text.splitlines()
    for separator in _SEPARATORS:
        names = next(csv.reader(lines[:1], delimiter=separator), [])
        if "example_id" in map(str.strip, names) and len(names) > 1:
            return separator
    raise DataError(
        f"{path}: found no column `example_id` in its first row; fill in the sheet that"
        " `llm2llm review export` wrote, and keep its first row"
    )


def _parquet(path: Path) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as failure:
        raise DataError(f"{path}: cannot be read as Parquet ({failure}); save it again") from None
    wanted = [name for name in ("example_id", *FILLED_IN) if name in table.column_names]
    # The sheet's own texts are read only to see whether a reviewer wrote there.
    wanted += [name for name in OWN_TEXTS if _is_text(table.schema, name)]
    columns: Mapping[str, list[Any]] = {n: table.column(n).to_pylist() for n in wanted}
    return table.column_names, list(_texts(path, columns, table.num_rows))


def _is_text(schema: pa.Schema, name: str) -> bool:
    place = schema.get_field_index(name)
    return place >= 0 and bool(
        pa.types.is_string(schema.types[place]) or pa.types.is_large_string(schema.types[place])
    )


def _texts(
    path: Path, columns: Mapping[str, list[Any]], n_rows: int
) -> Iterator[tuple[int, dict[str, str]]]:
    for place in range(n_rows):
        row = {name: cells[place] for name, cells in columns.items()}
        for name, cell in row.items():
            if cell is not None and not isinstance(cell, str):
                raise DataError(
                    f"{path}: row {place + 1}, column {name}: found {cell!r}, expected text; write"
                    " the column as text"
                )
        yield place + 1, {name: cell or "" for name, cell in row.items()}
