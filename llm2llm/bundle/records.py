"""The rows of a bundle's Parquet files besides the examples; what is withheld leaves its hash.

`withheld` says why a text is null: `test`, it could tell a test item; `seed`, it could tell a
private seed.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExportedSeed:
    """One seed, by id alone; its text, if handed on, is the example of that id.

    `verdicts` are those of students 0, 1, ... but for the last one.
    """

    seed_id: str
    in_dataset: bool
    verdicts: list[str]
    n_requests: int
    n_kept: int


@dataclass(frozen=True, slots=True)
class ExportedError:
    """What the student with `checkpoint` answered wrong; see `SeedError` for the counts."""

    seed_id: str
    iteration: int
    checkpoint: str
    verdict: str
    text: str | None
    text_sha256: str
    answer: str | None
    n_wrong_in_a_row: int
    ever_right: bool
    n_requests: int
    ask: bool
    withheld: str | None


@dataclass(frozen=True, slots=True)
class ExportedRequest:
    """One request; `request` is the canonical JSON of all that was sent, whose hash is the id."""

    request_id: str
    seed_id: str
    iteration: int
    purpose: str
    about: str | None
    draw: int
    prompt_sha256: str
    request: str | None
    withheld: str | None


@dataclass(frozen=True, slots=True)
class ExportedResponse:
    """The outcome of the request of that id, `text` as it came."""

    request_id: str
    iteration: int
    status: str
    teacher: str | None
    text: str | None
    text_sha256: str | None
    finish_reason: str | None
    failure: str | None
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
    withheld: str | None


@dataclass(frozen=True, slots=True)
class ExportedKept:
    """A candidate that every gate let through; scores are ROUGE-L F with the nearest item."""

    example_id: str
    iteration: int
    seed_id: str
    request_id: str
    in_dataset: bool
    gate_version: str
    nearest_test_id: str | None
    nearest_test_score: float | None
    nearest_train_id: str | None
    nearest_train_score: float | None


@dataclass(frozen=True, slots=True)
class ExportedRejection:
    """A rejected candidate; `candidate_id` is the content hash it would have had.

    `input`, `target` and `reason` are null where the text is withheld, or where the response held
    no candidate.
    """

    iteration: int
    candidate_id: str | None
    request_id: str
    seed_id: str
    position: int
    input: str | None
    target: str | None
    gate: str
    reason: str | None
    reference_id: str | None
    score: float | None
    gate_version: str
    withheld: str | None


@dataclass(frozen=True, slots=True)
class ExportedDecision:
    """What a person decided about a kept candidate: accept, edit or reject.

    An edit made the example `edited_id`, which `gate_version` let through; both are null for the
    others. `input` and `target` are the texts of before, where they are not in the dataset.
    """

    example_id: str
    iteration: int
    seed_id: str
    request_id: str
    decision: str
    edited_id: str | None
    gate_version: str | None
    reviewer: str | None
    note: str | None
    input: str | None
    target: str | None
    withheld: str | None
