"""Bounds on how long a request and its answer can be, in tokens."""

from collections.abc import Mapping


def most_prompt_tokens(description: str) -> int:
    """Bound a request's prompt tokens: a token is at least a byte of all that is sent."""
    return len(description.encode())


def most_completion_tokens(identity: Mapping[str, object]) -> int | None:
    """Find the limit on an answer's length that is sent, the larger of two; None: there is none."""
    found = [
        value
        for place in (identity, identity.get("extra_body"))
        if isinstance(place, Mapping)
        for name in ("max_tokens", "max_completion_tokens")
        if type(value := place.get(name)) is int
    ]
    return max(found, default=None)
