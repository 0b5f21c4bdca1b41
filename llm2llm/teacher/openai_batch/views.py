"""Read what a provider says about a batch, trusting nothing about its shape."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llm2llm.teacher.openai_failures import short
from llm2llm.teacher.retry import RetriableError

# The name in a batch's metadata under which our key stands.
KEY = "llm2llm_key"
# What some providers say in the place of OpenAI's words.
_SPELLINGS = {
    "canceled": "cancelled",
    "canceling": "cancelling",
    "cancellation_requested": "cancelling",
    "succeeded": "completed",
    "success": "completed",
    "error": "failed",
    "timeout": "expired",
    "timed_out": "expired",
    "timeout_exceeded": "expired",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a batch failed at validation; `line` counts from 1."""

    code: str | None
    line: int | None
    message: str


@dataclass(frozen=True, slots=True)
class View:
    """A batch as the provider describes it; `status` in OpenAI's spelling where that is known."""

    batch_id: str
    status: str
    key: str | None
    input_file_id: str | None
    output_file_id: str | None
    error_file_id: str | None
    problems: tuple[Problem, ...]
    n_total: int
    n_completed: int
    n_failed: int

    def n_lines(self, n_in_errors: int) -> int:
        """Tell how many lines its output file holds at least, with so many in its error file.

        What an expired or cancelled batch left undone may count as failed, and need no line.
        """
        n_ended = self.n_completed + (self.n_failed if self.status == "completed" else 0)
        return max(self.n_completed, n_ended - n_in_errors)

    @property
    def note(self) -> str:
        """Say in a few words where it stands."""
        if not self.n_total:
            return self.status
        failed = f", {self.n_failed} failed" if self.n_failed else ""
        return f"{self.status}, {self.n_completed} of {self.n_total} done{failed}"


def read_json(body: str) -> Mapping[str, Any]:
    """Read a JSON object; raises RetriableError where the body is none."""
    try:
        loaded = json.loads(body)
    except (ValueError, RecursionError) as failure:
        raise RetriableError(f"the reply is not JSON ({failure}): {short(body)!r}") from None
    if not isinstance(loaded, dict):
        raise RetriableError(f"the reply is no JSON object: {short(body)}")
    return loaded


def read_id(body: str) -> str:
    """Read the id of what was made; raises RetriableError where there is none."""
    found = _text(read_json(body).get("id"))
    if found is None:
        raise RetriableError(f"the reply holds no id: {short(body)}")
    return found


def read_view(loaded: Any) -> View:
    """Read a batch; raises RetriableError where it has no id or no status."""
    batch = _mapping(loaded)
    batch_id, status = _text(batch.get("id")), _text(batch.get("status"))
    if batch_id is None or status is None:
        raise RetriableError(f"no batch with an id and a status: {short(json.dumps(loaded))}")
    counts = _mapping(batch.get("request_counts"))
    return View(
        batch_id=batch_id,
        status=_word(status),
        key=_text(_mapping(batch.get("metadata")).get(KEY)),
        input_file_id=_text(batch.get("input_file_id")),
        output_file_id=_text(batch.get("output_file_id")),
        error_file_id=_text(batch.get("error_file_id")),
        problems=_problems(batch.get("errors")),
        n_total=_count(counts.get("total")),
        n_completed=_count(counts.get("completed")),
        n_failed=_count(counts.get("failed")),
    )


def _problems(errors: Any) -> tuple[Problem, ...]:
    if not errors:
        return ()
    listed = _mapping(errors).get("data")
    if not isinstance(listed, list):
        # Some providers give a plain text.
        return (Problem(None, None, short(_text(errors) or str(errors))),)
    return tuple(
        Problem(
            code=_text(_mapping(one).get("code")),
            line=_count(_mapping(one).get("line")) or None,
            message=short(_text(_mapping(one).get("message")) or str(one)),
        )
        for one in listed
    )


def clean(text: str) -> str:
    """Replace half surrogate pairs, which JSON can escape and no database takes."""
    return text.encode("utf-8", "replace").decode()


def _word(status: str) -> str:
    word = "_".join(status.lower().replace("-", " ").split())
    return _SPELLINGS.get(word, word)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    return clean(value) if isinstance(value, str) and value else None


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0
