"""Read the records of a Parquet file a batch at a time, as often as one likes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from llm2llm.exceptions import DataError
from llm2llm.files import read_table, schema_of

Record = TypeVar("Record")
Row = TypeVar("Row", covariant=True)

_BATCH = 2_000


class Rows(Protocol[Row]):
    """Records in order that can be counted and gone through more than once."""

    def __len__(self) -> int:
        """Count the records."""

    def __iter__(self) -> Iterator[Row]:
        """Go through them from the first one."""


class RecordFile(Generic[Record]):
    """The records of one file; few of them are in memory at a time."""

    def __init__(self, path: Path, record: type[Record]) -> None:
        """Look at the file's schema; raises DataError where it is not that record's file."""
        self.path = path
        self._record = record
        try:
            found = pq.read_schema(path)
        except (pa.ArrowInvalid, OSError):
            found = None
        if found is None or not found.equals(schema_of(record)):
            read_table(path, record)  # says what is wrong with it
            raise DataError(f"{path}: changed while it was read; run the command again")

    def __len__(self) -> int:
        """Count the records, from the file's footer."""
        return int(pq.read_metadata(self.path).num_rows)

    def __iter__(self) -> Iterator[Record]:
        """Go through the records, in the file's order."""
        names = schema_of(self._record).names
        for batch in self.batches():
            columns = [column.to_pylist() for column in batch.columns]
            for values in zip(*columns, strict=True):
                yield self._record(**dict(zip(names, values, strict=True)))

    def batches(self, columns: list[str] | None = None) -> Iterator[Any]:
        """Go through the file as Arrow record batches, of all columns or of some."""
        # With its buffer, which is on by default, the whole file would be read ahead.
        with pq.ParquetFile(self.path, pre_buffer=False) as source:
            try:
                yield from source.iter_batches(batch_size=_BATCH, columns=columns)
            except (pa.ArrowInvalid, OSError) as failure:
                raise DataError(
                    f"{self.path}: cannot be read as Parquet ({failure}); delete it and run"
                    " `dvc repro`"
                ) from None
