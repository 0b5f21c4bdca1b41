"""Raw rows: every fault of a user's file is told with its line."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from llm2llm.exceptions import DataError
from llm2llm.leakage.sources import read_rows
from llm2llm.raw import read_raw
from llm2llm.rows import stream_rows
from llm2llm.tasks.sections import AnswerFormat, Fields

FIELDS = Fields(input="question", target="answer")
NUMBER = AnswerFormat(kind="number", pattern=r"####[ \t]*([^\n]*)", labels=None)
GOOD = '{"question": "How many?", "answer": "Two. #### 2"}\n'


def test_rows_keep_their_line_numbers(tmp_path: Path) -> None:
    """A row knows its line in the file, blank lines counted, and its gold answer."""
    path = tmp_path / "t.jsonl"
    path.write_text(GOOD + "\n" + GOOD.replace("Two", "Just two"))
    rows = read_raw(path, FIELDS, NUMBER)
    assert [(row.source_row, row.answer) for row in rows] == [(1, "2"), (3, "2")]


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    """A file saved by a Windows editor is read."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode().replace(b"\n", b"\r\n"))
    assert len(read_raw(path, FIELDS, NUMBER)) == 1


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ('{"question": "How', r"t\.jsonl:2: not JSON"),
        ("[1, 2]", r"t\.jsonl:2: found \[1, 2\], expected a JSON object"),
        ('{"answer": "#### 2"}', r"t\.jsonl:2: field `question` is missing, found answer"),
        ('{"question": 5, "answer": "#### 2"}', r":2: field `question`: found 5 \(int\)"),
        ('{"question": null, "answer": "#### 2"}', r":2: field `question`: found None"),
        ('{"question": "How?", "answer": "  "}', r":2: field `answer`: empty"),
        ('{"question": "How?", "answer": "####"}', r":2: field `answer`: no number answer"),
        ('{"question": "How?", "answer": "two"}', r":2: field `answer`: no number answer"),
        ('{"question": "\\ud800", "answer": "#### 1"}', r":2: .*surrogate"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, second: str, message: str) -> None:
    """File, line, field, what was found and what was expected are in one message."""
    path = tmp_path / "t.jsonl"
    path.write_text(GOOD + second + "\n" + GOOD)
    with pytest.raises(DataError, match=message) as failure:
        read_raw(path, FIELDS, NUMBER)
    assert len(str(failure.value)) < 400


def test_text_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    """Bytes of another encoding name the line."""
    path = tmp_path / "t.jsonl"
    path.write_bytes(GOOD.encode() + b'{"question": "caf\xe9"}\n')
    with pytest.raises(DataError, match=r"t\.jsonl:2: not UTF-8"):
        read_raw(path, FIELDS, NUMBER)


def test_missing_and_empty_files_are_told(tmp_path: Path) -> None:
    """A path that leads nowhere and a file without rows stop, unless none are needed."""
    with pytest.raises(DataError, match="no such file"):
        read_raw(tmp_path / "none.jsonl", FIELDS, NUMBER)
    (tmp_path / "e.jsonl").write_text("\n\n")
    with pytest.raises(DataError, match="empty, expected at least one row"):
        read_raw(tmp_path / "e.jsonl", FIELDS, NUMBER)
    assert read_raw(tmp_path / "e.jsonl", FIELDS, NUMBER, may_be_empty=True) == []


def test_parquet_rows_are_the_same_rows(tmp_path: Path) -> None:
    """The same rows as Parquet and as JSON lines give the same ids."""
    (tmp_path / "t.jsonl").write_text(GOOD)
    pq.write_table(pa.Table.from_pylist([json.loads(GOOD)]), tmp_path / "t.parquet")
    one, other = (read_raw(tmp_path / name, FIELDS, NUMBER) for name in ("t.jsonl", "t.parquet"))
    assert one == other


def test_damaged_parquet_is_told(tmp_path: Path) -> None:
    """A Parquet file cut short names the file."""
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"t\.parquet: cannot be read as Parquet"):
        read_raw(tmp_path / "t.parquet", FIELDS, NUMBER)


@pytest.mark.parametrize(
    "read",
    [
        lambda path: read_raw(path, Fields(input="text", target="text"), NUMBER),
        lambda path: list(stream_rows(path)),
        lambda path: list(read_rows(path, "text", "--field")),
    ],
    ids=["read_raw", "stream_rows", "read_rows"],
)
def test_parquet_texts_that_are_not_utf8_are_told(
    tmp_path: Path, read: Callable[[Path], object]
) -> None:
    """Parquet does not check its texts; whoever reads a file names it where one is broken."""
    offsets = pa.array([0, 2], pa.int32()).buffers()[1]
    broken = pa.Array.from_buffers(pa.string(), 1, [None, offsets, pa.py_buffer(b"a\xa9")])
    pq.write_table(pa.table({"text": broken}), tmp_path / "broken.parquet")
    with pytest.raises(DataError, match=r"broken\.parquet: cannot be read as Parquet.*utf-8"):
        read(tmp_path / "broken.parquet")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "question,n\nHello; you,1\n,\n\nb,2\n"),
        ("a.csv", 'question;n\n"Hello; you";1\n;\nb;2\n'),
        ("a.tsv", "question\nHello; you\n \nb\n"),
        ("a.tsv", "question\nHello; you\nb\n"),
    ],
)
def test_rows_of_a_csv_in_which_all_is_empty_are_none(tmp_path: Path, name: str, text: str) -> None:
    """As spreadsheets leave them below a table; `init` passes them over, too."""
    (tmp_path / name).write_text(text)
    assert [row["question"] for _, row in stream_rows(tmp_path / name)] == ["Hello; you", "b"]


def test_a_table_of_one_column_may_hold_commas_where_tabs_separate(tmp_path: Path) -> None:
    """The name's ending says what would stand between two columns."""
    (tmp_path / "a.tsv").write_text("question\nOne, or two?\n")
    assert list(stream_rows(tmp_path / "a.tsv")) == [(2, {"question": "One, or two?"})]
