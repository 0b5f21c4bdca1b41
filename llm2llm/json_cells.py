"""Write the cells of a table's row as the values of a JSON object."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from llm2llm.tasks.sections import AnswerField

# Numbers as JSON writes them: a code such as 007 is none.
NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
# Beyond it not every whole number is a float.
_EXACT = 2**53
_TRUTH = {"true": "true", "false": "false"}


def cell_text(cell: Any) -> str | None:
    """Write one cell as text; None where it is empty, as a number that is none is.

    A spreadsheet's and pandas' whole numbers are often kept as 5.0, and written as 5.
    """
    if cell is None or isinstance(cell, str):
        return cell
    if isinstance(cell, float):
        if math.isnan(cell):
            return None
        if cell.is_integer() and abs(cell) < _EXACT:
            return str(int(cell))
    if isinstance(cell, bool | int | float | dict):
        return json.dumps(cell, ensure_ascii=False)
    return str(cell)


def cell_json(kind: str, cell: Any) -> str | None:
    """Write one cell, of a field of that type, as JSON; None where it is empty.

    Numbers keep their digits. A cell that is not of the type is written as text.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, str):
        text = cell.strip()
        if kind == "number" and NUMBER.fullmatch(text):
            return text
        if kind == "bool" and text.casefold() in _TRUTH:
            return _TRUTH[text.casefold()]
        return json.dumps(text, ensure_ascii=False)
    if isinstance(cell, bool | int | float | list | dict):
        return json.dumps(cell, ensure_ascii=False)
    return json.dumps(str(cell), ensure_ascii=False)  # a date of a Parquet file, for one


def joined_cells(types: Mapping[str, str], row: Mapping[str, Any]) -> str | None:
    """Write the object that a row's cells make, empty ones left out; None where all are empty."""
    written = {name: cell_json(kind, row.get(name)) for name, kind in types.items()}
    pairs = [
        f"{json.dumps(name, ensure_ascii=False)}: {value}"
        for name, value in written.items()
        if value is not None
    ]
    return "{" + ", ".join(pairs) + "}" if pairs else None


def object_of_cells(fields: Sequence[AnswerField], row: Mapping[str, Any]) -> str | None:
    """Write the object of a row that has a column for each field; None where all are empty."""
    return joined_cells({field.name: field.type for field in fields}, row)
