"""Add what was kept to the set, and account for every request, response and candidate."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from llm2llm.exceptions import CountError
from llm2llm.grading import accuracy
from llm2llm.ids import Json
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.predictions import Prediction
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.state import SeedState


@dataclass(frozen=True, slots=True)
class Iteration:
    """All that one iteration brought forth, in the order of its files."""

    iteration: int
    checkpoint: str
    predictions: Sequence[Prediction]
    errors: Sequence[SeedError]
    responses: Sequence[Response]
    kept: Sequence[Kept]
    rejected: Sequence[Rejected]


def merge(
    examples: Sequence[Example], states: Sequence[SeedState], done: Iteration
) -> tuple[list[Example], list[SeedState]]:
    """Make set i+1: set i, then the kept examples with their lineage, in screening order."""
    errors = {error.seed_id: error for error in done.errors}
    responses = {response.request_id: response for response in done.responses}
    _balance(examples, states, done, errors, responses)
    merged = list(examples)
    for kept in done.kept:
        response = responses[kept.request_id]
        merged.append(
            Example(
                example_id=kept.example_id,
                origin="augmented",
                seed_id=kept.seed_id,
                input=kept.input,
                target=kept.target,
                iteration=done.iteration,
                error=errors[kept.seed_id].text,
                checkpoint=done.checkpoint,
                request_id=kept.request_id,
                prompt_sha256=response.prompt_sha256,
                teacher=response.teacher,
                gate_version=kept.gate_version,
            )
        )
    verdicts = {p.example_id: p.verdict for p in done.predictions if p.split == "seed"}
    n_requests = Counter(r.seed_id for r in done.responses if r.purpose == "write")
    n_kept = Counter(kept.seed_id for kept in done.kept)
    advanced = [
        replace(
            state,
            verdicts=[*state.verdicts, verdicts[state.seed_id]],
            n_requests=state.n_requests + n_requests[state.seed_id],
            n_kept=state.n_kept + n_kept[state.seed_id],
        )
        for state in states
    ]
    return merged, advanced


def _balance(
    examples: Sequence[Example],
    states: Sequence[SeedState],
    done: Iteration,
    errors: Mapping[str, SeedError],
    responses: Mapping[str, Response],
) -> None:
    """Raise CountError where anything is lost, doubled or comes from nowhere."""
    where = f"iteration {done.iteration}"
    if len(responses) != len(done.responses):
        raise CountError(f"{where}: {len(done.responses)} responses share {len(responses)} ids")
    asked = {error.seed_id for error in done.errors if error.ask}
    served = {response.seed_id for response in done.responses}
    if asked != served:
        raise CountError(
            f"{where}: {len(asked)} seeds were to be asked about, responses are there for"
            f" {len(served)}; differing: {', '.join(sorted(asked ^ served)[:5])}"
        )
    answered = {
        r.request_id for r in done.responses if r.status == "answered" and r.purpose == "write"
    }
    outcome = {row.request_id for row in done.kept} | {row.request_id for row in done.rejected}
    if answered != outcome:
        raise CountError(
            f"{where}: {len(answered)} responses were answered, screening accounts for"
            f" {len(outcome)}; differing: {', '.join(sorted(answered ^ outcome)[:5])}"
        )
    for row in done.kept:
        response = responses[row.request_id]
        if response.seed_id != row.seed_id or row.seed_id not in errors:
            raise CountError(f"{where}: example {row.example_id} is not of seed {row.seed_id}")
    ids = Counter([e.example_id for e in examples] + [k.example_id for k in done.kept])
    doubled = [name for name, n in ids.items() if n > 1]
    if doubled:
        raise CountError(f"{where}: example {doubled[0]} would stand twice in the set")
    predicted = [p.example_id for p in done.predictions if p.split == "seed"]
    if predicted != [state.seed_id for state in states]:
        raise CountError(f"{where}: the predictions are not of this set's seeds, in their order")


def history_entry(
    n_examples: int, examples_sha256: str, files: Mapping[str, str], done: Iteration
) -> dict[str, Json]:
    """Describe one iteration by hashes, counts, accuracies and tokens; no times in it."""
    by_split: dict[str, list[str]] = {"seed": [], "dev": [], "test": []}
    for prediction in done.predictions:
        by_split[prediction.split].append(prediction.verdict)
    accuracies: dict[str, Json] = {}
    for split, verdicts in by_split.items():
        found = accuracy(verdicts)
        accuracies[split] = {
            "n": found.n,
            "n_right": found.n_right,
            "n_unparsable": found.n_unparsable,
        }
    unparsable = [row for row in done.rejected if row.gate == "parse"]
    by_gate = Counter(row.gate for row in done.rejected)
    answered = sum(response.status == "answered" for response in done.responses)
    return {
        "iteration": done.iteration,
        "set": {"n_examples": n_examples, "examples_sha256": examples_sha256},
        "checkpoint_sha256": done.checkpoint,
        "files": dict(files),
        "counts": {
            "errors": len(done.errors),
            "asked": sum(error.ask for error in done.errors),
            "requests": len(done.responses),
            "answered": answered,
            "failed": len(done.responses) - answered,
            "solves": sum(response.purpose == "solve" for response in done.responses),
            "candidates": len(done.kept) + len(done.rejected) - len(unparsable),
            "kept": len(done.kept),
            "rejected": dict(sorted(by_gate.items())),
        },
        "accuracy": accuracies,
        "tokens": {
            "prompt": _total([r.n_prompt_tokens for r in done.responses]),
            "completion": _total([r.n_completion_tokens for r in done.responses]),
        },
    }


def _total(counts: Sequence[int | None]) -> int | None:
    """Add token counts; unknown when none was reported."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
