"""A folder saved by `datasets`' save_to_disk, read without that package."""

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from llm2llm.exceptions import DataError
from llm2llm.files import read_json

_SPLITS, _STATE, _INFO = "dataset_dict.json", "state.json", "dataset_info.json"


def is_saved_dataset(path: Path) -> bool:
    """Tell whether a folder holds one dataset, or several by the names of their splits."""
    return (path / _SPLITS).is_file() or (path / _STATE).is_file()


def splits_of(path: Path) -> list[str]:
    """Name the splits of a folder; empty where it holds a single dataset."""
    return list(read_json(path / _SPLITS)["splits"]) if (path / _SPLITS).is_file() else []


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
    state, info = read_json(path / _STATE), read_json(path / _INFO)
    try:
        tables = [_stream(path / part["filename"]) for part in state["_data_files"]]
        frame = pl.from_arrow(pa.concat_tables(tables))
    except (pa.ArrowInvalid, OSError, KeyError) as failure:
        raise DataError(f"{path}: cannot be read as a saved dataset ({failure})") from None
    assert isinstance(frame, pl.DataFrame)
    return frame.with_columns(
        _class_names(name, feature["names"])
        for name, feature in info["features"].items()
        if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
    )


def _stream(path: Path) -> pa.Table:
    with pa.OSFile(str(path)) as source, pa.ipc.open_stream(source) as reader:
        return reader.read_all()


def _class_names(name: str, names: list[Any]) -> pl.Expr:
    # datasets writes -1 for a row without a label.
    known = {number: str(text) for number, text in enumerate(names)}
    return pl.col(name).replace_strict(known, default=None, return_dtype=pl.String)
