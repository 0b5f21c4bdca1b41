"""Streaming: a file gone through in batches gives what reading it whole gives."""

import random
from pathlib import Path

import pyarrow as pa
import pytest

from llm2llm.exceptions import DataError
from llm2llm.files import read_records, write_records
from llm2llm.records.split import SplitRow
from llm2llm.records.state import SeedState
from llm2llm.streaming import RecordFile

ROWS = [SplitRow(f"ex-{n}", f"in {n}", "t", "a", n) for n in range(4_321)]


def test_rows_come_in_order_and_as_often_as_asked_for(tmp_path: Path) -> None:
    """Each pass over a file of several batches gives all of its rows."""
    write_records(tmp_path / "rows.parquet", SplitRow, ROWS)
    rows = RecordFile(tmp_path / "rows.parquet", SplitRow)
    assert len(rows) == len(ROWS)
    assert list(rows) == list(rows) == read_records(tmp_path / "rows.parquet", SplitRow)
    assert [batch.num_columns for batch in rows.batches(["example_id"])] == [1, 1, 1]


def test_a_file_is_not_read_ahead(tmp_path: Path) -> None:
    """While the first of many row groups is looked at, the others are not in memory."""
    path = tmp_path / "rows.parquet"
    draw = random.Random(1)
    texts = (draw.randbytes(400).hex() for _ in range(40_000))
    write_records(path, SplitRow, (SplitRow("ex", text, "t", "a", 1) for text in texts))
    assert path.stat().st_size > 16_000_000
    before = pa.total_allocated_bytes()
    batches = RecordFile(path, SplitRow).batches()
    next(batches)
    assert pa.total_allocated_bytes() - before < 8_000_000


def test_an_empty_file_has_no_rows(tmp_path: Path) -> None:
    """A file without rows is gone through without a word."""
    write_records(tmp_path / "rows.parquet", SplitRow, [])
    assert list(RecordFile(tmp_path / "rows.parquet", SplitRow)) == []


def test_another_records_file_is_refused_before_the_first_row(tmp_path: Path) -> None:
    """The message is that of a whole read: the file, the record, the columns."""
    path = tmp_path / "rows.parquet"
    write_records(path, SplitRow, ROWS[:2])
    with pytest.raises(DataError, match="not a file of SeedState records; seed_id: found no such"):
        RecordFile(path, SeedState)
    path.write_bytes(b"PAR1")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        RecordFile(path, SplitRow)
    with pytest.raises(DataError, match="no such file"):
        RecordFile(tmp_path / "none.parquet", SplitRow)
