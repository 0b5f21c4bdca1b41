"""Read candidates from what a teacher wrote."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llm2llm.json_answers import ordered_object
from llm2llm.tasks.sections import AnswerField, ResponseFormat

_DECODER = json.JSONDecoder(strict=False)  # many teachers write line ends in strings as they are
_REASONING_ENDS = "</think>"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A new example as the teacher wrote it, unchecked."""

    input: str
    target: str


@dataclass(frozen=True, slots=True)
class Unparsable:
    """Why a response gives no candidate."""

    reason: str


def parse_candidates(
    response_text: str,
    response_format: ResponseFormat,
    seed_target: str,
    target_fields: Sequence[AnswerField] | None = None,
) -> list[Candidate] | Unparsable:
    """Read all candidates of a response, at least one, in order, or say why there is none.

    JSON may stand in a code fence or between other text: every object, or list of objects, that
    has one of the fields counts. One bad object makes the whole response unparsable. With
    `target_fields` the target may be an object, too: it becomes text in the order of the fields.
    """
    text = response_text.rpartition(_REASONING_ENDS)[2]
    if not text.strip():
        return Unparsable("the response is empty")
    try:
        read = _objects if response_format.kind == "json" else _matches
        objects = list(read(text, response_format))
    except RecursionError:
        return Unparsable("JSON nested too deeply")
    if not objects:
        return Unparsable(
            f"no JSON object with the field {response_format.input!r}"
            if response_format.kind == "json"
            else "the response pattern does not match"
        )
    candidates = []
    for found in objects:
        values = []
        for field in _fields(response_format):
            value = found.get(field)
            if target_fields and isinstance(value, dict) and field == response_format.target:
                value = ordered_object(target_fields, value)
            problem = _problem(value)
            if problem is not None:
                return Unparsable(f"field {field!r} {problem}")
            values.append(str(value).strip())
        candidates.append(Candidate(values[0], values[1] if len(values) == 2 else seed_target))
    return candidates


def _fields(response_format: ResponseFormat) -> list[str]:
    return [field for field in (response_format.input, response_format.target) if field is not None]


def _problem(value: Any) -> str | None:
    if value is None:
        return "is missing"
    if not isinstance(value, str):
        return f"is {type(value).__name__}, expected text"
    if not value.strip():
        return "is empty"
    # Escapes such as \\ud800 alone make text that no file can hold.
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "holds half a surrogate pair"
    return None


def _objects(text: str, response_format: ResponseFormat) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in a text that have one of the fields, lists of them one by one."""
    fields = set(_fields(response_format))
    opening = re.compile(r"[{\[]")
    found = opening.search(text)
    while found:
        end = found.start() + 1
        try:
            value, after = _DECODER.raw_decode(text, found.start())
        except ValueError:
            value, after = None, end
        values = value if isinstance(value, list) else [value]
        if values and all(isinstance(v, dict) and not fields.isdisjoint(v) for v in values):
            yield from values
            end = after
        found = opening.search(text, end)


def _matches(text: str, response_format: ResponseFormat) -> Iterator[dict[str, Any]]:
    """Yield the named groups of every match of the pattern."""
    assert response_format.pattern is not None  # the section refuses kind `text` without one
    for match in re.finditer(response_format.pattern, text):
        yield match.groupdict()
