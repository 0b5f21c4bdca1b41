"""Look into a bundle's tables lazily."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm2llm.bundle.layout import TABLES
from llm2llm.exceptions import DataError

if TYPE_CHECKING:
    import polars as pl


def scan_all(folder: Path) -> "dict[str, pl.LazyFrame]":
    """Open every table, by its file's name."""
    import polars as pl

    return {name: pl.scan_parquet(folder / name) for name in TABLES}


def collect(frame: "pl.LazyFrame") -> Any:
    """Run a query a part at a time; raises DataError where a file cannot be read."""
    import polars as pl

    try:
        return frame.collect(engine="streaming")
    except pl.exceptions.PolarsError as failure:
        raise DataError(f"a table cannot be read: {failure}") from None
