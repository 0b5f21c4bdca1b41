"""Read an answer that is one JSON object, field by field as its schema says."""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from llm2llm.dates import day
from llm2llm.ids import Json
from llm2llm.labels import one_label
from llm2llm.quantities import MAX_DIGITS, number
from llm2llm.tasks.sections import AnswerField

_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,2})?")
_AT_ENDS = " .,;:!?\"'“”‘’«»"
_TRUTH = {"true": True, "yes": True, "false": False, "no": False}
_EXPECTED = {
    "text": "text",
    "number": "a number",
    "date": "a date as YYYY-MM-DD",
    "label": "one of its labels",
    "bool": "true or false",
    "list": "a list of texts",
}
_SHOWN = 40
# Folding case can undo folding forms; after two rounds nothing is known to change.
_FOLDINGS = 5


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why a text is no object of the schema."""

    reason: str


class _Digits(str):
    """A JSON number as it was written, so that none is rounded."""

    __slots__ = ()


class _TwiceError(ValueError):
    """A name that stands twice in one object, of which nobody knows which value is meant."""


def read_fields(fields: Sequence[AnswerField], text: str) -> dict[str, str] | Unreadable:
    """Read the one object of a text: each value as canonical JSON, equal ones as equal texts.

    Text around the object is passed over; missing, null and empty values are left out.
    """
    found = _object(text)
    if isinstance(found, Unreadable):
        return found
    unknown = [name for name in found if name not in {field.name for field in fields}]
    if unknown:
        return Unreadable(f"the schema has no field {unknown[0][:_SHOWN]!r}")
    values = {}
    for field in fields:
        value = found.get(field.name)
        if _is_missing(value, field):
            if field.required:
                return Unreadable(f"field {field.name!r} is missing")
            continue
        written = _value(field, value)
        if written is None:
            expected = f"expected {_EXPECTED[field.type]}"
            return Unreadable(f"field {field.name!r} is {_told(value)}, {expected}")
        values[field.name] = written
    return values


def _told(value: Any) -> str:
    """Show a value as it was written, half surrogate pairs as escapes."""
    told = str(value) if isinstance(value, _Digits) else json.dumps(value, ensure_ascii=False)
    return told[:_SHOWN].encode(errors="backslashreplace").decode()


def canonical_object(fields: Sequence[AnswerField], text: str) -> str | None:
    """Write the object of a text with its fields in the schema's order; None where it is none."""
    values = read_fields(fields, text)
    if isinstance(values, Unreadable):
        return None
    pairs = (f"{_written(name)}: {value}" for name, value in values.items())
    return "{" + ", ".join(pairs) + "}"


def ordered_object(fields: Sequence[AnswerField], value: dict[str, Any]) -> str:
    """Write an object as a target, in the schema's order; nulls are left out."""
    names = [field.name for field in fields if field.name in value]
    names += [name for name in value if name not in names]
    kept = {name: value[name] for name in names if value[name] is not None}
    return json.dumps(kept, ensure_ascii=False)


def json_schema(fields: Sequence[AnswerField]) -> dict[str, Json]:
    """Write the schema for a teacher: all fields asked for, null where one is not required."""
    names: list[Json] = [field.name for field in fields]
    return {
        "type": "object",
        "properties": {field.name: _property(field) for field in fields},
        "required": names,
        "additionalProperties": False,
    }


def _property(field: AnswerField) -> dict[str, Json]:
    kind = {"number": "number", "bool": "boolean", "list": "array"}.get(field.type, "string")
    found: dict[str, Json] = {"type": kind if field.required else [kind, "null"]}
    if field.type == "date":
        found["description"] = "YYYY-MM-DD"
    if field.type == "list":
        found["items"] = {"type": "string"}
    if field.labels is not None:
        found["enum"] = [*field.labels, *([] if field.required else [None])]
    return found


def _object(text: str) -> dict[str, Any] | Unreadable:
    """Decode the object that the first brace begins; a second one after it makes it unclear."""
    start = text.find("{")
    if start < 0 or text[:start].rstrip().endswith("["):
        return Unreadable("there is no JSON object")
    try:
        value, end = _DECODER.raw_decode(text, start)
    except _TwiceError as failure:
        return Unreadable(f"field {str(failure)[:_SHOWN]!r} stands twice")
    except RecursionError:
        return Unreadable("JSON nested too deeply")
    except ValueError:
        return Unreadable("there is no whole JSON object")
    if "{" in text[end:]:
        return Unreadable("there is more than one JSON object")
    assert isinstance(value, dict)  # it began with a brace
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _TwiceError(name)
        found[name] = value
    return found


def _no_number(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are no JSON


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs,
    parse_float=_Digits,
    parse_int=_Digits,
    parse_constant=_no_number,
    strict=False,  # models write line ends in strings as they are
)


def _is_missing(value: Any, field: AnswerField) -> bool:
    if isinstance(value, list):
        return not value and not field.required
    return value is None or (isinstance(value, str) and not value.strip())


def _value(field: AnswerField, value: Any) -> str | None:
    """Write a value as canonical JSON; None where it is not of its field's type."""
    loose = field.compare == "normalized"
    if field.type == "bool":
        if loose and _is_text(value):
            value = _TRUTH.get(value.strip().casefold())
        return None if not isinstance(value, bool) else json.dumps(value)
    if field.type == "number":
        return _number(value, loose)
    if field.type == "list":
        if not isinstance(value, list) or not all(
            _is_text(item) and item.strip() for item in value
        ):
            return None
        texts = [_text(item, loose) for item in value]
        return _written(sorted(texts) if loose else texts)
    if not _is_text(value):
        return None
    if field.type == "text":
        return _written(_text(value, loose))
    if field.type == "date":
        read = day(value, iso_only=not loose)
    else:
        labels = field.labels or []
        read = one_label(labels, value.strip()) if loose else _exactly(labels, value)
    return None if read is None else _written(read)


def _is_text(value: Any) -> bool:
    # Half a surrogate pair, which an escape can make, is text that no file can hold.
    return (
        isinstance(value, str)
        and not isinstance(value, _Digits)
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )


def _number(value: Any, loose: bool) -> str | None:
    """Write a number exactly; one that is no decimal, such as 1/3, as a text."""
    read: Fraction | None = None
    if isinstance(value, _Digits) and len(value) <= MAX_DIGITS and _NUMBER.fullmatch(value):
        read = Fraction(value)
    elif loose and _is_text(value):
        read = number(value)
    if read is None:
        return None
    written = _decimal(read) or _written(f"{read.numerator}/{read.denominator}")
    return written if len(written) <= MAX_DIGITS else None


def _decimal(value: Fraction) -> str | None:
    """Write a number whose decimals end, however many they are."""
    places = 0
    while 10**places % value.denominator and places < MAX_DIGITS:
        places += 1
    scaled = value * 10**places
    if scaled.denominator != 1:
        return None
    digits = str(abs(scaled.numerator)).rjust(places + 1, "0")
    whole, after = (digits[:-places], f".{digits[-places:]}") if places else (digits, "")
    return ("-" if value < 0 else "") + whole + after


def _text(value: str, loose: bool) -> str:
    text = " ".join(value.split())
    for _ in range(_FOLDINGS if loose else 0):
        folded = " ".join(unicodedata.normalize("NFKC", text.casefold()).split())
        folded = folded.strip(_AT_ENDS) or folded
        if folded == text:
            break
        text = folded
    return text


def _exactly(labels: list[str], value: str) -> str | None:
    return value if value in labels else None


def _written(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
