"""A folder saved by `datasets`' save_to_disk, read without that package."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from llm2llm.exceptions import DataError

# What damaged bytes end in: names of columns that are no UTF-8 are a ValueError, or a panic.
TABLE_FAULTS = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    pa.ArrowException,
    ValueError,
)
_SPLITS, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"


def is_saved_dataset(path: Path) -> bool:
    """Tell whether a folder holds one dataset, or several by the names of their splits."""
    return (path / _SPLITS).is_file() or (path / _STATE).is_file()


def splits_of(path: Path) -> list[str]:
    """Name the splits of a folder; empty where it holds a single dataset."""
    if not (path / _SPLITS).is_file():
        return []
    return [str(name) for name in _document(path / _SPLITS).get("splits") or []]


def read_saved_dataset(path: Path, split: str) -> pl.DataFrame:
    """Read a dataset with the names of its classes in place of their numbers."""
    splits = splits_of(path)
    if splits:
        if split not in splits:
            raise DataError(
                f"{path}: found the splits {', '.join(splits)}, expected one called {split};"
                " name the folder of one split, such as "
                f"{path / splits[0]}"
            )
        path = path / split
    state, info = _document(path / _STATE), _document(path / _INFO)
    try:
        tables = [_stream(path / part["filename"]) for part in state["_data_files"]]
        frame = frame_of(pa.concat_tables(tables))
    except (*TABLE_FAULTS, OSError, KeyError, TypeError) as failure:
        raise _broken(path, failure) from None
    for name, feature in (info.get("features") or {}).items():
        if not isinstance(feature, dict) or name not in frame.columns:
            continue
        if feature.get("_type") == "ClassLabel":
            frame = frame.with_columns(_class_names(pl.col(name), feature["names"]))
        inner = feature.get("feature")  # of lists, which older versions call Sequence
        if isinstance(inner, dict) and inner.get("_type") == "ClassLabel":
            names = _class_names(pl.element(), inner["names"])
            frame = frame.with_columns(pl.col(name).list.eval(names))
    return frame


def _document(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as failure:
        raise _broken(path, failure) from None
    if not isinstance(found, dict):
        raise _broken(path, f"found {type(found).__name__}, expected an object")
    return found


def _broken(path: Path, reason: object) -> DataError:
    return DataError(
        f"{path}: cannot be read as a saved dataset ({reason}); write it again with `save_to_disk`"
    )


def frame_of(table: pa.Table) -> pl.DataFrame:
    """Take a table over; raises ArrowInvalid where its values are not what its types say."""
    table.validate(full=True)
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _stream(path: Path) -> pa.Table:
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as reader:
        return reader.read_all()


def _class_names(numbers: pl.Expr, names: list[Any]) -> pl.Expr:
    # datasets writes -1 for a row without a label.
    known = {number: str(text) for number, text in enumerate(names)}
    return numbers.replace_strict(known, default=None, return_dtype=pl.String)
