"""The lines of a request file: one request each, named by its `custom_id`."""

import json
from collections.abc import Mapping

from llm2llm.ids import Json
from llm2llm.teacher.openai_batch.provider import ENDPOINT

_PREFIX = "rq-"
# JSON leaves these as they are; some readers of JSON lines take them for the end of one.
_LINE_BREAKS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def custom_id_of(request_id: str) -> str:
    """Name a request to the provider: its 64 hex digits, as some take no longer names."""
    return request_id.removeprefix(_PREFIX)


def request_id_of(custom_id: str) -> str:
    """Find out which request a name stands for."""
    return _PREFIX + custom_id


def request_line(request_id: str, body: Mapping[str, Json]) -> bytes:
    """Write one line, in which every kind of line break inside a text is escaped."""
    line = {
        "custom_id": custom_id_of(request_id),
        "method": "POST",
        "url": ENDPOINT,
        "body": dict(body),
    }
    text = json.dumps(line, ensure_ascii=False, allow_nan=False)
    return text.translate(_LINE_BREAKS).encode() + b"\n"


def estimate_tokens(line: bytes, max_completion_tokens: int | None) -> int:
    """Estimate what a request adds to the enqueued tokens: a token for four bytes."""
    return len(line) // 4 + (max_completion_tokens or 0)
