"""Look into a bundle's tables lazily."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm2llm.bundle.layout import ALL_TABLES, TABLES
from llm2llm.exceptions import DataError
from llm2llm.files import schema_of

if TYPE_CHECKING:
    import polars as pl


def scan_all(folder: Path) -> "dict[str, pl.LazyFrame]":
    """Open every table, by its file's name; one that not every bundle has is empty if missing."""
    import polars as pl

    return {
        name: pl.scan_parquet(folder / name, glob=False)
        if name in TABLES or (folder / name).is_file()
        else _empty(record)
        for name, record in ALL_TABLES.items()
    }


def _empty(record: type[Any]) -> "pl.LazyFrame":
    import polars as pl

    return pl.DataFrame(schema_of(record).empty_table()).lazy()


def collect(frame: "pl.LazyFrame") -> Any:
    """Run a query a part at a time; raises DataError where a file cannot be read."""
    import polars as pl

    try:
        return frame.collect(engine="streaming")
    except pl.exceptions.PolarsError as failure:
        raise DataError(f"a table cannot be read: {failure}") from None
