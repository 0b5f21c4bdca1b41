"""The identity of a request: a hash of everything that determines its answer."""

from collections.abc import Mapping, Sequence

from llm2llm.ids import Json, sha256_json

# Left out of the identity, and why:
#   API key, organization      say who pays, and must not be written anywhere
#   seed_id                    follows from seed_input and seed_target
#   iteration                  `draw` counts on over all iterations
#   templates, student's text  the messages are what they gave
#   how candidates are parsed  happens after; a schema that is sent is part of `teacher`
#   purpose write or solve     `about` is there exactly where something is to be solved
#   attempts                   how many draws are made, not what one gives
#   runtime section            when an answer comes and whether it may, not which
#   versions of the clients    carry the request; what they send is all here
_FORMAT = 1
# The purposes that an identity names; requests with them may hold test items, word for word.
JUDGING = ("judge", "grade")


def describe_request(
    *,
    messages: Sequence[Mapping[str, str]],
    seed_input: str,
    seed_target: str,
    random_seed: int,
    draw: int,
    about: str | None = None,
    purpose: str | None = None,
    teacher: Mapping[str, Json],
) -> dict[str, Json]:
    """Gather a request's identity; `teacher` is all that the backend adds to it.

    `draw` is how many requests the seed has had before: without it a seed that is wrong again
    would get the old answer for ever. `about` is the request whose answer is to be solved: votes on
    the same text from two requests are two samples. `purpose` is one of JUDGING, or null. Both are
    left out where they are null.
    """
    described: dict[str, Json] = {
        "format": _FORMAT,
        "messages": [dict(message) for message in messages],
        "seed_input": seed_input,
        "seed_target": seed_target,
        "random_seed": random_seed,
        "draw": draw,
        "teacher": dict(teacher),
    }
    if about is not None:
        described["about"] = about
    if purpose is not None:
        described["purpose"] = purpose
    return described


def request_id(description: Mapping[str, Json]) -> str:
    """Name a request: `rq-` and the SHA-256 of its identity's canonical JSON."""
    return "rq-" + sha256_json(description)
