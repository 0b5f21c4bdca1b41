"""Read the JSON files of a bundle, which another machine wrote and anybody may have changed."""

from pathlib import Path
from typing import Any

from llm2llm.bundle.checks import for_receivers
from llm2llm.exceptions import DataError
from llm2llm.files import read_json


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises DataError, worded for receivers, where the file holds none."""
    try:
        value = read_json(path)
    except DataError as failure:
        raise DataError(f"{for_receivers(failure)}; get the bundle again") from None
    if not isinstance(value, dict):
        raise DataError(
            f"{path}: found {type(value).__name__}, expected an object; get the bundle again"
        )
    return value
