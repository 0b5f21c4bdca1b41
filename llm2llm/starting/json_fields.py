"""Which fields the JSON objects in a column of targets have, and of what types."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from llm2llm.dates import day
from llm2llm.exceptions import ParamsError
from llm2llm.json_answers import Unreadable, read_fields
from llm2llm.tasks.sections import AnswerField

Type = Literal["text", "number", "date", "label", "bool", "list"]
# Of texts that are not so few and so frequent, the next row may well bring another.
_MOST_LABELS = 10
_ROWS_FOR_A_LABEL = 10
_LABEL_CHARS = 60
_SHOWN = 60


def are_objects(targets: Sequence[str]) -> bool:
    """Tell whether every target is a JSON object."""
    return all(target.startswith("{") and json_object(target) is not None for target in targets)


def infer_fields(targets: Sequence[str], places: Sequence[str] = ()) -> tuple[AnswerField, ...]:
    """Propose a schema that every target fits; raises ParamsError where none does.

    `places` are file and line of each target, for what is said of one.
    """
    at = [f"{place}: " for place in places] or [""] * len(targets)
    objects = []
    for where, target in zip(at, targets, strict=True):
        found = json_object(target)
        if found is None:
            raise ParamsError(
                f"{where}--kind: found json, but the target {target[:_SHOWN]!r} is no JSON object;"
                " mend it, or name the columns that make one, each as --target"
            )
        objects.append(found)
    names = list(dict.fromkeys(name for each in objects for name in each))
    if not names:
        raise ParamsError("--kind: found json, but the targets have no fields; name other columns")
    fields = tuple(_field(name, [each.get(name) for each in objects], at) for name in names)
    first = dict(zip(reversed(targets), reversed(at), strict=True))
    for target in dict.fromkeys(targets):
        read = read_fields(fields, target)
        if isinstance(read, Unreadable):
            raise ParamsError(
                f"{first[target]}--kind: found json, but of the target {target[:_SHOWN]!r}"
                f" {read.reason}; mend it"
            )
    return fields


def json_object(target: str) -> dict[str, Any] | None:
    """Read a JSON object; null where the text is none."""
    try:
        found = json.loads(target)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def is_missing(value: Any) -> bool:
    """Tell whether a field has no value."""
    return value is None or value in ("", [])


def _field(name: str, values: Sequence[Any], at: Sequence[str]) -> AnswerField:
    there = [value for value in values if not is_missing(value)]
    where = [place for place, value in zip(at, values, strict=True) if not is_missing(value)]
    kind = _type(name, there, where)
    labels = sorted(set(there)) if kind == "label" else None
    return AnswerField(
        name=name,
        type=kind,
        required=len(there) == len(values),
        compare="normalized" if kind in ("text", "list") else "exact",
        labels=labels,
    )


def _type(name: str, values: Sequence[Any], at: Sequence[str]) -> Type:
    found = [_json_type(value) for value in values]
    kinds = Counter(found)
    unusable = kinds.keys() & {"object", "mixed list"}
    if len(kinds) > 1 or unusable:
        most, n_most = kinds.most_common(1)[0]
        odd = next(k for k, kind in enumerate(found) if kind != most or not kinds.keys() - unusable)
        shown = json.dumps(values[odd], ensure_ascii=False)[:_SHOWN]
        here = f" (here {shown}, {most} in {n_most} of {len(found)} rows)"
        raise ParamsError(
            f"{at[odd]}the field {name!r} of the JSON targets holds {' and '.join(sorted(kinds))}"
            f"{here if len(kinds) > 1 else ''}, expected one of text, number, true or false, list"
            " of texts; write it in one form in every row"
        )
    kind = next(iter(kinds), "text")
    if kind == "list":
        return "list"
    if kind in ("number", "bool"):
        return "number" if kind == "number" else "bool"
    if values and all(day(value, iso_only=True) for value in values):
        return "date"
    different = set(values)
    few = 1 < len(different) <= min(_MOST_LABELS, len(values) // _ROWS_FOR_A_LABEL)
    return "label" if few and max(map(len, different)) <= _LABEL_CHARS else "text"


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, list):
        texts = all(isinstance(item, str) and item.strip() for item in value)
        return "list" if texts else "mixed list"
    return "text" if isinstance(value, str) else "object"
