"""The reviewer's sheet: what a spreadsheet does to it, and that texts come back as they were."""

import csv
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm2llm.exceptions import DataError
from llm2llm.reviewing.sheet import (
    COLUMNS,
    FILLED_IN,
    SheetRow,
    guarded,
    read_sheet,
    unguarded,
    write_sheet,
)

FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1", "''-x")
# Half of a surrogate pair is no text that a file can hold.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def row(text: str, **changes: str | None) -> SheetRow:
    """Make a row that says the same in every column of text."""
    filled = dict.fromkeys(FILLED_IN, text or None)
    values = {"example_id": "ex-1", "seed_id": "ex-0", **dict.fromkeys(COLUMNS[3:7], text)}
    numbers = {"iteration": 0, "rank": 1, "length": 2, "first_of_seed": True}
    rest = {"votes": None, "nearest_test_score": 0.25, "why": text}
    return SheetRow(**{**values, **numbers, **rest, **filled, **changes})


def as_saved(path: Path, separator: str, encoding: str, quoting: int, end: str) -> None:
    """Open a sheet and save it again, as a spreadsheet does."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.reader(stream))
    with path.open("w", encoding=encoding, newline="") as stream:
        csv.writer(stream, delimiter=separator, quoting=quoting, lineterminator=end).writerows(rows)


@settings(max_examples=200, deadline=None)
@given(text=TEXT, form=st.sampled_from(["csv", "parquet"]))
def test_every_text_comes_back(tmp_path_factory: pytest.TempPathFactory, text: str, form: str):
    """Whatever stands in a cell is read as it was written, in both forms."""
    path = tmp_path_factory.mktemp("sheet") / f"s.{form}"
    write_sheet(path, [row(text)])
    [(_, cells)] = read_sheet(path).rows
    assert [cells[name] for name in FILLED_IN] == [text] * len(FILLED_IN)


@given(TEXT)
def test_a_guard_is_taken_off_again(text: str) -> None:
    """Guarding is undone exactly, and what needs no guard has none."""
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_a_formula(tmp_path: Path, text: str) -> None:
    """What a spreadsheet would compute starts with an apostrophe, and comes back without it."""
    path = tmp_path / "s.csv"
    write_sheet(path, [row(text)])
    with path.open(encoding="utf-8-sig", newline="") as stream:
        cells = list(csv.reader(stream))[1]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\n", "＝")]
    assert read_sheet(path).rows[0][1]["note"] == text


def test_excel_finds_utf_8_by_its_mark(tmp_path: Path) -> None:
    """The file starts with the byte order mark, without which Excel takes it for another."""
    write_sheet(tmp_path / "s.csv", [row("é")])
    assert (tmp_path / "s.csv").read_bytes().startswith(b"\xef\xbb\xbfexample_id,seed_id,")


@pytest.mark.parametrize(
    ("separator", "encoding", "quoting", "end"),
    [
        (";", "utf-8", csv.QUOTE_MINIMAL, "\n"),  # LibreOffice, German
        (",", "utf-8", csv.QUOTE_ALL, "\n"),  # LibreOffice, all text quoted
        (";", "utf-8-sig", csv.QUOTE_MINIMAL, "\r\n"),  # Excel, CSV UTF-8
        (";", "cp1252", csv.QUOTE_MINIMAL, "\r\n"),  # Excel, CSV
        ("\t", "utf-16", csv.QUOTE_MINIMAL, "\r\n"),  # Excel, Unicode text
    ],
)
def test_sheets_as_spreadsheets_save_them(
    tmp_path: Path, separator: str, encoding: str, quoting: int, end: str
) -> None:
    """Separator, encoding, mark, quotes and line ends are the spreadsheet's to choose."""
    text = 'She said "no; yes",\nthen: café – 5 €\n-2'
    path = tmp_path / "s.csv"
    write_sheet(path, [row(text), row(text, example_id="ex-2")])
    as_saved(path, separator, encoding, quoting, end)
    found = read_sheet(path)
    assert [(number, cells["example_id"]) for number, cells in found.rows] == [
        (2, "ex-1"),
        (3, "ex-2"),
    ]
    assert {cells[name] for _, cells in found.rows for name in FILLED_IN} == {text}


def test_empty_cells_may_be_missing_at_the_end(tmp_path: Path) -> None:
    """Excel leaves them out in later rows; empty rows count, as the spreadsheet numbers them."""
    path = tmp_path / "s.csv"
    path.write_text("example_id,decision,note,edited_input\nex-1,accept\n,,,\nex-2,reject,no,,,\n")
    empty = {"note": "", "edited_input": ""}
    assert read_sheet(path).rows == [
        (2, {"example_id": "ex-1", "decision": "accept", **empty}),
        (4, {"example_id": "ex-2", "decision": "reject", **empty, "note": "no"}),
    ]


def test_columns_of_ones_own_are_told_of(tmp_path: Path) -> None:
    """Order is free, and what is no column of the sheet is named, not read."""
    path = tmp_path / "s.csv"
    path.write_text("comment;decision;example_id;;\nhm;accept;ex-1;;\n")
    assert read_sheet(path).ignored == ["comment"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no column `example_id`"),
        (b"text,label\na,b\n", "no column `example_id`"),
        (b"example_id,note\na,b\n", "found 0 columns `decision`"),
        (b"example_id,decision,decision\na,b,c\n", "found 2 columns `decision`"),
        (b"example_id,decision,note,note\na,b,c,d\n", "found the column `note` twice"),
        (b"example_id,decision\na,b,c\n", "row 2: found 3 cells, expected 2"),
        (b'example_id,decision\na,b\nc,"d\n', "row 3: cannot be read"),
        (b"example_id,decision\na,\x81\xff\n", "neither UTF-8, UTF-16 nor Windows-1252"),
    ],
)
def test_what_is_no_sheet_is_told(tmp_path: Path, content: bytes, says: str) -> None:
    """One message names the file, the row and what to do."""
    path = tmp_path / "s.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_sheet(path)


def test_other_forms_are_refused(tmp_path: Path) -> None:
    """A workbook, a missing file, broken Parquet and numbers for text are each told."""
    (tmp_path / "s.parquet").write_text("no")
    table = pa.table({"example_id": ["a"], "decision": [1]})
    pq.write_table(table, tmp_path / "n.parquet")
    for name, says in (
        ("s.xlsx", "expected .csv or .parquet"),
        ("s.csv", "no such file"),
        ("s.parquet", "cannot be read as Parquet"),
        ("n.parquet", "row 1, column decision: found 1, expected text"),
    ):
        with pytest.raises(DataError, match=says):
            read_sheet(tmp_path / name)
