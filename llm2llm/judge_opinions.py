"""Read what the judge answered: only one JSON object with a plain no in it is a no."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from llm2llm.ids import Json
from llm2llm.ledger.database import Entry

_FIELDS = ("reason", "same_problem")
# The JSON schema that the judge is to answer by.
SCHEMA: dict[str, Json] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "same_problem": {"type": "string", "enum": ["yes", "no"]},
    },
    "required": list(_FIELDS),
    "additionalProperties": False,
}

Opinion = Literal["no", "yes", "unclear", "failed"]
OPINIONS: tuple[Opinion, ...] = ("no", "yes", "unclear", "failed")
# How an answer ends that the model ended itself; null where a backend does not say.
_ENDED = ("stop", None)
_THOUGHTS_END = "</think>"


@dataclass(frozen=True, slots=True)
class Judgment:
    """What came of one pair; all but the opinion `no` make the candidate a leak, for `reason`."""

    request_id: str
    opinion: Opinion
    reason: str
    teacher: str | None
    n_prompt_tokens: int | None
    n_completion_tokens: int | None


def judgment_of(entry: Entry) -> Judgment:
    """Read the outcome of a request."""
    opinion: Opinion = "failed"
    reason = f"the judge gave no answer ({entry.failure})"
    if entry.text is not None:
        opinion, reason = read_opinion(entry.text, entry.finish_reason)
    return Judgment(
        entry.request_id,
        opinion,
        f"{reason}; request {entry.request_id}",
        entry.teacher,
        entry.n_prompt_tokens,
        entry.n_completion_tokens,
    )


def read_opinion(text: str, finish_reason: str | None) -> tuple[Opinion, str]:
    """Read an answer: the opinion, and what it says of the candidate.

    Anything but one finished JSON object with the schema's fields, each once, and a plain yes or
    no is unclear. It may stand in a code fence, and after thoughts that end once.
    """
    if finish_reason == "length":
        return "unclear", "the judge's answer was cut off at its length limit"
    if finish_reason not in _ENDED:
        return "unclear", f"the judge's answer did not end by itself ({finish_reason})"
    found = _object(text)
    answer = found.get("same_problem")
    if found.keys() == set(_FIELDS) and isinstance(found["reason"], str):
        if answer == "no":
            return "no", "the judge says that it is another problem"
        if answer == "yes":
            return "yes", "the judge says that it is the test item"
    return "unclear", "the judge's answer is no clear no"


def _object(text: str) -> dict[str, Any]:
    if text.count(_THOUGHTS_END) > 1:
        return {}  # the last may be one that a candidate brought with it
    text = text.rpartition(_THOUGHTS_END)[2].strip()
    if text.startswith("```") and text.endswith("```"):
        text = text.strip("`").removeprefix("json")
    try:
        loaded = json.loads(text, object_pairs_hook=_once, strict=False)
    except (ValueError, RecursionError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError("a name occurs twice")  # yes and no in one answer
    return dict(pairs)
