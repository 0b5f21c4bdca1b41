"""The chain behind one example, link by link."""

from dataclasses import dataclass
from typing import Any

from llm2llm.lineage.judged import SeedJudgment
from llm2llm.records.decisions import Decision
from llm2llm.records.split import SplitRow


@dataclass(frozen=True, slots=True)
class WrongAnswer:
    """What the student answered to the seed, and which student it was.

    `checkpoint` is null for a rejected candidate of an iteration that is not merged yet.
    """

    iteration: int
    checkpoint: str | None
    verdict: str
    text: str
    answer: str | None
    n_wrong_in_a_row: int
    ever_right: bool


@dataclass(frozen=True, slots=True)
class Asked:
    """What the teacher was asked, `messages` as role and content, and what it said, raw."""

    request_id: str
    draw: int
    prompt_sha256: str
    teacher: str | None
    messages: list[dict[str, Any]]
    status: str
    text: str | None
    finish_reason: str | None
    n_prompt_tokens: int | None
    n_completion_tokens: int | None


@dataclass(frozen=True, slots=True)
class Paid:
    """What the ledger says of the request; `created` is UTC, `cost` null where it is not known."""

    created: str
    cost: float | None
    latency_s: float | None
    n_attempts: int


@dataclass(frozen=True, slots=True)
class Recorded:
    """What dvc.lock recorded of a stage behind the example: hashes of its code and its params."""

    stage: str
    code_sha256: str
    params_sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How screening ended; `gate`, `reason`, `reference_id`, `score` stand for a rejection only.

    `gates_passed` are the leakage gates, in order, that let it through.
    """

    kept: bool
    gate_version: str
    gates_passed: list[str]
    gate: str | None
    reason: str | None
    reference_id: str | None
    score: float | None
    nearest_test_id: str | None
    nearest_test_score: float | None
    nearest_train_id: str | None
    nearest_train_score: float | None


@dataclass(frozen=True, slots=True)
class Sibling:
    """Another candidate of the same response; no id where nothing could be parsed."""

    candidate_id: str | None
    kept: bool
    gate: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a person decided about the example; an edit made the example `edited_id`."""

    decision: Decision
    edited_id: str | None
    edit_exported: bool


@dataclass(frozen=True, slots=True)
class Bundle:
    """The release bundle, which name, version and manifest tell from every other."""

    path: str
    name: str | None
    version: str | None
    manifest_sha256: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """The whole chain behind one example.

    `kind` is seed, augmented or rejected. For a seed `verdicts` lists what each student so far
    made of it and the parts below are null; else they are set and `verdicts` is empty. What
    stands in no hashed file, since it may differ between equal runs, is `paid` and `recorded`: null
    and empty where ledger or dvc.lock are not there. `review` is null where nobody decided,
    `bundle` where the example, or what an edit made of it, is in none. `judged` holds what the
    judge of free text said of the wrong answer, or of all answers to a seed; else it is empty.
    """

    kind: str
    example_id: str
    input: str
    target: str
    sets: list[int]
    exported: bool
    seed: SplitRow
    verdicts: list[str]
    wrong_answer: WrongAnswer | None
    request: Asked | None
    screening: Outcome | None
    siblings: list[Sibling]
    paid: Paid | None = None
    recorded: tuple[Recorded, ...] = ()
    review: Ruling | None = None
    bundle: Bundle | None = None
    judged: tuple[SeedJudgment, ...] = ()
