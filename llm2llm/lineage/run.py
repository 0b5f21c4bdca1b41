"""Where the files of a run lie, and lazy looks into them."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from llm2llm.exceptions import DataError
from llm2llm.params.loading import load_value

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Run:
    """A project folder and the number of augmentations that its params.yaml asks for."""

    root: Path
    n_iterations: int

    def split(self, name: str) -> Path:
        """Name the rows of one part of the raw data: seed, dev, rest or test."""
        return self.root / "data" / "split" / f"{name}.parquet"

    def in_set(self, number: int, name: str) -> Path:
        """Name a file of set `number`."""
        return self.root / "data" / "sets" / str(number) / name

    def in_iteration(self, iteration: int, name: str) -> Path:
        """Name a file of one iteration."""
        return self.root / "data" / "iterations" / str(iteration) / name

    def examples(self, number: int) -> Path:
        """Name the examples of set `number`."""
        return self.in_set(number, "examples.parquet")

    def predictions(self, iteration: int) -> Path:
        """Name what student `iteration` answered."""
        return self.in_iteration(iteration, "predictions.parquet")

    def control(self) -> Path:
        """Name what the equal-updates control answered."""
        return self.root / "data" / "control" / "predictions.parquet"

    def exported(self) -> Path:
        """Name the examples of the release bundle."""
        return self.root / "data" / "export" / "dataset.parquet"

    def sets(self) -> list[int]:
        """List the sets that are there, in order, up to the last one the run asks for."""
        numbers = range(self.n_iterations + 1)
        return [number for number in numbers if self.examples(number).exists()]


def open_run(root: Path) -> Run:
    """Read how far the run in this folder is to go; raises ParamsError without params.yaml."""
    return Run(root, load_value(root / "params.yaml", "iterations", int))


def scan(path: Path, record: type[Any]) -> "pl.LazyFrame":
    """Open a Parquet file lazily, after a look at its schema; raises DataError as a read would."""
    import polars as pl

    _look_at(path, record)
    return pl.scan_parquet(path, glob=False)


def columns(path: Path, record: type[Any], *names: str) -> "pa.Table":
    """Read some columns of a file whole, after a look at its schema.

    Arrow alone, as to import polars besides takes longer than to read a million ids.
    """
    import pyarrow.parquet as pq

    _look_at(path, record)
    with pq.ParquetFile(path) as source:
        return source.read(columns=list(names), use_threads=False)


def count(path: Path, record: type[Any]) -> int:
    """Count the rows of a file, from its footer."""
    import pyarrow.parquet as pq

    _look_at(path, record)
    return int(pq.read_metadata(path).num_rows)


def counted_values(column: Any) -> dict[Any, int]:
    """Count how often each value stands in an Arrow column, null too."""
    import pyarrow.compute as pc

    counts = pc.value_counts(column)
    return dict(
        zip(counts.field("values").to_pylist(), counts.field("counts").to_pylist(), strict=True)
    )


def rows_at(
    path: Path, record: type[Any], names: Sequence[str], places: "pa.Array"
) -> list[dict[str, Any]]:
    """Fetch some columns of the rows at these places, in order; other row groups stay unread."""
    import pyarrow.parquet as pq

    _look_at(path, record)
    wanted = places.to_pylist()
    found: list[dict[str, Any]] = []
    with pq.ParquetFile(path) as source:
        start = at = 0
        for group in range(source.metadata.num_row_groups):
            end = start + source.metadata.row_group(group).num_rows
            first = at
            while at < len(wanted) and wanted[at] < end:
                at += 1
            if at > first:
                inside = [place - start for place in wanted[first:at]]
                table = source.read_row_group(group, columns=list(names), use_threads=False)
                found += table.take(inside).to_pylist()
            start = end
    return found


def rows(path: Path, record: type[Record], **equals: str | int) -> list[Record]:
    """Fetch the records whose fields have these values, in the file's order.

    The named columns are read whole, of the others only the row groups that have such a row: for a
    few rows of many that costs half of what a filter on a scan does.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    _look_at(path, record)
    found = []
    with pq.ParquetFile(path) as source:
        keys = source.read(columns=list(equals), use_threads=False)
        masks = [pc.equal(keys.column(name), value) for name, value in equals.items()]
        places = pc.indices_nonzero(functools.reduce(pc.and_, masks)).to_pylist()
        start = 0
        for group in range(source.metadata.num_row_groups):
            end = start + source.metadata.row_group(group).num_rows
            inside = [place - start for place in places if start <= place < end]
            if inside:
                found += source.read_row_group(group).take(inside).to_pylist()
            start = end
    return [record(**row) for row in found]


def _look_at(path: Path, record: type[Any]) -> None:
    import pyarrow.parquet as pq

    from llm2llm.files import read_table, schema_of

    try:
        fits = pq.read_schema(path).equals(schema_of(record))
    except (OSError, ValueError):
        fits = False
    if not fits:
        read_table(path, record)
        raise DataError(f"{path}: changed while it was read; run the command again")
