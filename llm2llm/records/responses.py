"""What the teacher said: data/iterations/i/responses.parquet."""

from dataclasses import dataclass

# The failure of a request that stays without an answer where the params accept that.
NO_ANSWER = "no answer, accepted"


@dataclass(frozen=True, slots=True)
class Response:
    """One request and its outcome; `status` is answered or failed (then `failure` says why).

    `purpose` is write, or solve: then the problem that the request `about` brought was to be
    solved, for a vote. `draw` counts the earlier requests of the seed, or of that problem.
    `request` is the canonical JSON whose hash is `request_id`, messages included; `teacher` is
    the model as reported; token counts stay null where none were reported.
    """

    request_id: str
    seed_id: str
    iteration: int
    purpose: str
    about: str | None
    draw: int
    status: str
    text: str | None
    finish_reason: str | None
    failure: str | None
    request: str
    prompt_sha256: str
    teacher: str | None
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
