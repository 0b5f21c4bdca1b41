"""An example of a set, with its whole lineage: data/sets/i/examples.parquet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """One input/target pair; the lineage fields are null exactly when `origin` is `seed`.

    `iteration` wrote it; `error` is what the student with `checkpoint` answered to the seed;
    `request_id`, `prompt_sha256` (of the template) and `teacher` (as reported) say who wrote it;
    `gate_version` says which code let it through.
    """

    example_id: str
    origin: str
    seed_id: str
    input: str
    target: str
    iteration: int | None
    error: str | None
    checkpoint: str | None
    request_id: str | None
    prompt_sha256: str | None
    teacher: str | None
    gate_version: str | None
