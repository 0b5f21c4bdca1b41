"""Rows of JSON targets that are unlike the others: no object, a rare field, a value of its own."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from llm2llm.dates import day
from llm2llm.exceptions import DataError
from llm2llm.json_cells import NUMBER
from llm2llm.starting.gathering import Gathered, LeftOut
from llm2llm.starting.json_fields import is_missing, json_object

# So large a share of objects makes JSON targets of a column; what is rarer is a fault.
_MOST = 0.9
# What fewer rows than this share have, or are not, may be a slip of the pen.
_FEW = 0.05
_SHOWN = 60


def mostly_objects(targets: Sequence[str]) -> bool:
    """Tell whether nearly all targets are JSON objects."""
    n = sum(target.startswith("{") and json_object(target) is not None for target in targets)
    return bool(targets) and n >= _MOST * len(targets)


def without_broken(found: Gathered, path: Path, *, drop_bad_rows: bool) -> Gathered:
    """Leave out rows whose target is no JSON object; raises DataError unless told to drop them."""
    broken = [row for row in found.rows if json_object(row.target) is None]
    if not broken:
        return found
    if not drop_bad_rows:
        n, first = len(found.rows), broken[0]
        raise DataError(
            f"{path}:{first.line}: the target {first.target[:_SHOWN]!r} is no JSON object, as those"
            f" of {n - len(broken)} of {n} rows are; mend it, or leave such rows out with"
            " --drop-bad-rows"
        )
    out = [LeftOut(row.line, row.input, row.target, "no JSON object", None) for row in broken]
    lines = {row.line for row in broken}
    return dataclasses.replace(
        found,
        rows=[row for row in found.rows if row.line not in lines],
        left_out=sorted([*found.left_out, *out], key=lambda row: row.line),
    )


def odd_values(targets: Sequence[str], places: Sequence[str]) -> Iterator[str]:
    """Say of JSON targets which fields few rows have, and which values alone are no date or number.

    `places` are file and line of each target.
    """
    objects = [json_object(target) or {} for target in targets]
    values: dict[str, list[tuple[str, Any]]] = {}
    for place, each in zip(places, objects, strict=True):
        for name, value in each.items():
            if not is_missing(value):
                values.setdefault(name, []).append((place, value))
    common = [name for name, found in values.items() if len(found) >= _FEW * len(objects)]
    for name, found in values.items():
        if name not in common:
            near = get_close_matches(name, common, n=1)
            meant = f"; is `{near[0]}` meant?" if near else ""
            yield (
                f"the field `{name}` occurs in {len(found)} of {len(objects)} rows"
                f" ({found[0][0]}){meant}"
            )
        yield from _odd(name, [(place, text) for place, text in found if isinstance(text, str)])


def _odd(name: str, texts: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Say which few texts keep a field from being a date or a number."""
    forms: dict[str, Callable[[str], object]] = {"dates": _is_day, "numbers": NUMBER.fullmatch}
    for what, fits in forms.items():
        others = [(place, text) for place, text in texts if not fits(text)]
        if others and len(others) < _FEW * len(texts):
            place, text = others[0]
            more = f", nor are {len(others) - 1} more" if others[1:] else ""
            shown = json.dumps(text, ensure_ascii=False)[:_SHOWN]
            yield (
                f"the field `{name}` is text: {len(texts) - len(others)} of {len(texts)} are"
                f" {what}, {place} {shown} is not{more}"
            )


def _is_day(text: str) -> bool:
    return day(text, iso_only=True) is not None
