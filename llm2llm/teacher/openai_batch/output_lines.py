"""Read a line of a batch's output or error file, trusting nothing about its shape."""

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from llm2llm.teacher.openai_batch.views import clean
from llm2llm.teacher.openai_body import read_body
from llm2llm.teacher.openai_failures import judge_status, short
from llm2llm.teacher.protocol import Answer, Refusal, TeacherStoppedError
from llm2llm.teacher.retry import RetriableError

Outcome = Answer | Refusal | RetriableError | TeacherStoppedError

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Line:
    """What one line says about the request that `custom_id` names."""

    custom_id: str
    outcome: Outcome


def read_line(line: bytes) -> Line | None:
    """Read a line; None where it is not JSON, or names no request."""
    text = line.decode("utf-8-sig", "replace")
    try:
        loaded = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(loaded, dict) or not isinstance(loaded.get("custom_id"), str):
        return None
    return Line(clean(loaded["custom_id"]), _outcome(text, loaded))


def _outcome(text: str, loaded: Mapping[str, Any]) -> Outcome:
    response = loaded.get("response")
    if not isinstance(response, dict):
        # Nothing was answered: the batch expired, was cancelled, or this request failed in it.
        return _failure(500, loaded.get("error"))
    status, body = response.get("status_code"), response.get("body")
    if type(status) is not int:
        status = 200 if isinstance(body, dict) and "choices" in body else 500
    if status != 200:
        inner = body.get("error") if isinstance(body, dict) else body
        return _failure(status, inner or body or loaded.get("error"))
    if not isinstance(body, dict):
        return RetriableError(f"the line holds no answer: {short(text)}")
    try:
        outcome = read_body(_body_as_it_arrived(text).encode(), n_attempts=1, latency_s=0.0)
    except RetriableError as failure:
        return failure
    return dataclasses.replace(outcome, latency_s=None)


def _failure(status: int, error: Any) -> Outcome:
    """Judge a failure as one request's own would be judged."""
    if not isinstance(error, dict):
        return judge_status(status, set(), clean(str(error or "no reason given")))
    codes = {str(error.get("code")), str(error.get("type"))}
    code = error.get("code")
    said = str(error.get("message") or json.dumps(error))
    return judge_status(status, codes, clean(f"{code}: {said}" if isinstance(code, str) else said))


def _body_as_it_arrived(text: str) -> str:
    """Cut the response's body out of a line that holds one; a member named twice counts last."""
    begin = _SPACE.match(text, 0).end()  # type: ignore[union-attr]  # matches the empty text
    for name in ("response", "body"):
        begin, end = {found: (start, stop) for found, start, stop in _members(text, begin)}[name]
    return text[begin:end]


def _members(text: str, begin: int) -> Iterator[tuple[str, int, int]]:
    """Find the members of the object at `begin`, and where each one's value begins and ends."""

    def skip(at: int) -> int:
        return _SPACE.match(text, at).end()  # type: ignore[union-attr]  # as above

    at = skip(begin + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        start = skip(skip(at) + 1)
        _, end = _DECODER.raw_decode(text, start)
        yield name, start, end
        at = skip(end)
        if text[at] == ",":
            at = skip(at + 1)
