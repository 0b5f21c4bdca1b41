"""Read a chat completion's body, trusting nothing about its shape."""

import json
from typing import Any

from llm2llm.teacher.openai_failures import short
from llm2llm.teacher.protocol import Answer, LostCall, Refusal
from llm2llm.teacher.retry import RetriableError

# More tokens than any model writes; what is beyond is no count, and sums must not overflow.
_MOST_TOKENS = 10**9


def read_body(body: bytes, *, n_attempts: int, latency_s: float) -> Answer | Refusal:
    """Read an answer; raises RetriableError where the body is no chat completion.

    An answer cut by its length is an answer, an empty one too; one that the endpoint filtered or
    the model declined to give is a refusal.
    """
    raw = body.decode("utf-8", "replace")
    loaded = _json(raw)
    usage = _mapping(loaded.get("usage"))
    n_prompt_tokens = _count(usage.get("prompt_tokens"))
    n_completion_tokens = _count(usage.get("completion_tokens"))
    choice, problem = _first_choice(loaded)
    if problem:
        reason = f"{problem}: {short(raw)}"
        lost = LostCall(reason, n_prompt_tokens, n_completion_tokens)
        raise RetriableError(reason, lost=lost)
    message = choice["message"]
    content = message.get("content")
    finish_reason = _text(choice.get("finish_reason"))
    teacher = _text(loaded.get("model"))
    declined = _text(message.get("refusal"))
    if finish_reason == "content_filter" or (declined and not content):
        why = f"declined: {short(declined)}" if declined else "content policy (answer filtered)"
        return Refusal(
            reason=why,
            teacher=teacher,
            n_prompt_tokens=n_prompt_tokens,
            n_completion_tokens=n_completion_tokens,
            raw=raw,
            n_attempts=n_attempts,
            latency_s=latency_s,
        )
    return Answer(
        text=_text(content) or "",
        finish_reason=finish_reason,
        teacher=teacher,
        n_prompt_tokens=n_prompt_tokens,
        n_completion_tokens=n_completion_tokens,
        raw=raw,
        n_attempts=n_attempts,
        latency_s=latency_s,
    )


def _json(raw: str) -> dict[str, Any]:
    try:
        loaded = json.loads(raw)
    except (ValueError, RecursionError) as failure:
        raise _unreadable(f"the answer is not JSON ({failure})", raw) from None
    if not isinstance(loaded, dict):
        raise _unreadable("the answer is no JSON object", raw)
    return loaded


def _unreadable(problem: str, raw: str) -> RetriableError:
    """Make the failure of a body that may have been billed, for who knows what."""
    reason = f"{problem}: {short(raw)!r}"
    return RetriableError(reason, lost=LostCall(reason, None, None))


def _first_choice(loaded: dict[str, Any]) -> tuple[dict[str, Any], str | None]:
    """Give the first choice, or what is wrong with it."""
    choices = loaded.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        return {}, "the answer holds no choice with a message"
    content = choice["message"].get("content")
    if content is not None and not isinstance(content, str):
        return {}, "content is not text"
    return choice, None


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    # JSON can escape half a surrogate pair, which no file of ours can hold.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _count(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value < _MOST_TOKENS else None
