"""Read a judge's yes or no: only one finished JSON object with a plain one in it is either."""

import json
from dataclasses import dataclass
from typing import Any, Literal

from llm2llm.ids import Json
from llm2llm.ledger.database import Entry

Opinion = Literal["no", "yes", "unclear", "failed"]
OPINIONS: tuple[Opinion, ...] = ("no", "yes", "unclear", "failed")
# How an answer ends that the model ended itself; null where a backend does not say.
_ENDED = ("stop", None)
_THOUGHTS_END = "</think>"


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be answered with yes or no, after a reason.

    `field` holds the answer; `unclear` is said of an answer in which there is no plain one.
    """

    field: str
    unclear: str

    @property
    def schema(self) -> dict[str, Json]:
        """The JSON schema that the judge is to answer by."""
        return {
            "type": "object",
            "properties": {
                "reason": {"type": "string"},
                self.field: {"type": "string", "enum": ["yes", "no"]},
            },
            "required": ["reason", self.field],
            "additionalProperties": False,
        }


@dataclass(frozen=True, slots=True)
class Judgment:
    """What came of one request.

    `reason` is the judge's own for yes and no, else what keeps its answer from being either.
    """

    request_id: str
    opinion: Opinion
    reason: str
    teacher: str | None
    n_prompt_tokens: int | None
    n_completion_tokens: int | None


def judgment_of(entry: Entry, question: Question) -> Judgment:
    """Read the outcome of a request."""
    opinion: Opinion = "failed"
    reason = f"the judge gave no answer ({entry.failure})"
    if entry.text is not None:
        opinion, reason = read_opinion(entry.text, entry.finish_reason, question)
    return Judgment(
        entry.request_id,
        opinion,
        reason,
        entry.teacher,
        entry.n_prompt_tokens,
        entry.n_completion_tokens,
    )


def read_opinion(text: str, finish_reason: str | None, question: Question) -> tuple[Opinion, str]:
    """Read an answer: the opinion, and the reason for it.

    Anything but one finished JSON object with the schema's fields, each once, and a plain yes or
    no is unclear. It may stand in a code fence, and after thoughts that end once.
    """
    if finish_reason == "length":
        return "unclear", "the judge's answer was cut off at its length limit"
    if finish_reason not in _ENDED:
        return "unclear", f"the judge's answer did not end by itself ({finish_reason})"
    found = _object(text)
    reason, answer = found.get("reason"), found.get(question.field)
    if found.keys() == {"reason", question.field} and isinstance(reason, str):
        # JSON can escape half a surrogate pair, which no file of ours can hold.
        reason = reason.encode(errors="replace").decode()
        if answer == "no":
            return "no", reason
        if answer == "yes":
            return "yes", reason
    return "unclear", question.unclear


def _object(text: str) -> dict[str, Any]:
    if text.count(_THOUGHTS_END) > 1:
        return {}  # the last may be one that the text to be judged brought with it
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
