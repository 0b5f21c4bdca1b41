"""Atomic files and their schemas."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm import files
from llm2llm.exceptions import DataError
from llm2llm.records.state import SeedState


@dataclass(frozen=True, slots=True)
class Row:
    """A record with every kind of field."""

    name: str
    n: int
    share: float
    fine: bool
    words: list[str]
    remark: str | None
    score: float | None


ROWS = [Row("a", 1, 0.5, True, ["x"], None, 1.0), Row("b", 2, 0.25, False, [], "r", None)]


def test_rows_come_back_as_they_were_written(tmp_path: Path) -> None:
    """Reading gives the rows that were written, nulls and empty lists too."""
    files.write_records(tmp_path / "r.parquet", Row, ROWS)
    assert files.read_records(tmp_path / "r.parquet", Row) == ROWS


@given(
    st.lists(st.builds(SeedState, st.text(), st.lists(st.text()), st.integers(0, 99), st.just(0)))
)
def test_any_text_survives(tmp_path_factory: pytest.TempPathFactory, rows: list[SeedState]) -> None:
    """Any Unicode text survives the way to disk and back."""
    path = tmp_path_factory.mktemp("any") / "s.parquet"
    files.write_records(path, SeedState, rows)
    assert files.read_records(path, SeedState) == rows


def test_equal_rows_give_equal_bytes(tmp_path: Path) -> None:
    """Two writes of the same rows do not differ in a byte."""
    for name in ("one", "two"):
        files.write_records(tmp_path / name, Row, ROWS)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_no_rows_keep_the_schema(tmp_path: Path) -> None:
    """A file without rows is still that record's file."""
    files.write_records(tmp_path / "r.parquet", Row, [])
    assert files.read_records(tmp_path / "r.parquet", Row) == []
    with pytest.raises(DataError):
        files.read_records(tmp_path / "r.parquet", SeedState)


def test_a_wrong_schema_is_named_field_by_field(tmp_path: Path) -> None:
    """A column of another type and a missing one are both named."""
    table = pa.table({"name": ["a"], "n": ["not a number"]})
    pq.write_table(table, tmp_path / "r.parquet")
    with pytest.raises(DataError, match=r"n: found string, expected int64.*fine: found no such"):
        files.read_records(tmp_path / "r.parquet", Row)


def test_a_null_where_none_may_be_is_refused_on_both_ways(tmp_path: Path) -> None:
    """A null in a field that must have a value stops the write and the read, naming the row."""
    bad = [ROWS[0], Row(None, 1, 0.5, True, [], None, None)]  # type: ignore[arg-type]
    with pytest.raises(DataError, match="row 1, field name: null"):
        files.write_records(tmp_path / "r.parquet", Row, bad)
    assert list(tmp_path.iterdir()) == []
    schema = pa.schema([field.with_nullable(True) for field in files.schema_of(Row)])
    columns = [pa.nulls(1, field.type) for field in schema]
    pq.write_table(pa.Table.from_arrays(columns, schema=schema), tmp_path / "n.parquet")
    with pytest.raises(DataError, match="name: found string, expected string not null"):
        files.read_records(tmp_path / "n.parquet", Row)


@pytest.mark.parametrize("content", [b"", b"PAR1 no", b"x" * 5000])
def test_a_damaged_file_is_told_in_one_message(tmp_path: Path, content: bytes) -> None:
    """Bytes that are no Parquet give a DataError that names the file."""
    (tmp_path / "r.parquet").write_bytes(content)
    with pytest.raises(DataError, match=r"r\.parquet: cannot be read as Parquet"):
        files.read_records(tmp_path / "r.parquet", Row)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """When writing fails the old content stays and no temporary file is left."""
    path = tmp_path / "t.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_file_is_a_new_one(tmp_path: Path) -> None:
    """A write never changes the bytes behind another link to the old file."""
    path, link = tmp_path / "t.txt", tmp_path / "link"
    files.write_text(path, "old")
    files.link_or_copy(path, link)
    files.write_text(path, "new")
    assert (link.read_text(), path.read_text()) == ("old", "new")


def test_a_failed_folder_leaves_the_old_one(tmp_path: Path) -> None:
    """A folder is replaced as a whole or not at all."""
    path = tmp_path / "out"
    with files.replacing_folder(path) as folder:
        files.write_text(folder / "a", "old")
    with pytest.raises(RuntimeError), files.replacing_folder(path) as folder:
        files.write_text(folder / "a", "new")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert (path / "a").read_text() == "old"


def test_rows_that_take_hours_begin_no_file(tmp_path: Path) -> None:
    """Nothing stands beside the output until the first rows are there, so a kill leaves nothing."""

    def rows() -> Iterator[Row]:
        assert list(tmp_path.iterdir()) == []
        yield from ROWS

    files.write_records(tmp_path / "a.parquet", Row, rows())
    assert [path.name for path in tmp_path.iterdir()] == ["a.parquet"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """Half-written files of processes that are gone go with the next try, those of others stay."""
    gone, alive = ".a.json.4194399.tmp", f".a.json.{os.getppid()}.tmp"
    for name in (gone, alive, ".b.json.4194399.tmp"):
        (tmp_path / name).write_text("half")
    files.write_json(tmp_path / "a.json", 1)
    assert {path.name for path in tmp_path.iterdir()} == {
        "a.json", alive, ".b.json.4194399.tmp"
    }  # fmt: skip
