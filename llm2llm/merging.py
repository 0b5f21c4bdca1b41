"""Add what was kept to the set, and account for every request, response and candidate."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
from llm2llm.streaming import Rows

# Of the judge's part of the certificate; its requests are no rows of responses.parquet.
_JUDGE = ("asked", "answers", "requests", "tokens")


@dataclass(frozen=True, slots=True)
class Iteration:
    """All that one iteration brought forth, in the order of its files.

    Each is gone through a few times and never held as a whole. `judge` is what the certificate
    says of the judge, null without one.
    """

    iteration: int
    checkpoint: str
    predictions: Rows[Prediction]
    errors: Rows[SeedError]
    responses: Rows[Response]
    kept: Rows[Kept]
    rejected: Rows[Rejected]
    judge: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a request that led to a kept example gives to it."""

    seed_id: str
    prompt_sha256: str
    teacher: str | None


def merge(
    examples: Rows[Example], states: Sequence[SeedState], done: Iteration
) -> tuple[Iterator[Example], list[SeedState]]:
    """Make set i+1: set i, then the kept examples with their lineage, in screening order.

    All counts are checked before the first example is given; what is in memory by then are ids,
    and the texts of the answers that were wrong.
    """
    asked = _asked(done)
    wrong = {error.seed_id: error.text for error in done.errors}
    verdicts = {p.example_id: p.verdict for p in done.predictions if p.split == "seed"}
    _balance(examples, states, done, asked, wrong)
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
    return _merged(examples, done, asked, wrong), advanced


def _merged(
    examples: Rows[Example],
    done: Iteration,
    asked: Mapping[str, _Asked],
    wrong: Mapping[str, str],
) -> Iterator[Example]:
    yield from examples
    for kept in done.kept:
        request = asked[kept.request_id]
        yield Example(
            example_id=kept.example_id,
            origin="augmented",
            seed_id=kept.seed_id,
            input=kept.input,
            target=kept.target,
            iteration=done.iteration,
            error=wrong[kept.seed_id],
            checkpoint=done.checkpoint,
            request_id=kept.request_id,
            prompt_sha256=request.prompt_sha256,
            teacher=request.teacher,
            gate_version=kept.gate_version,
        )


def _asked(done: Iteration) -> dict[str, _Asked]:
    """Note the requests behind kept examples; raises CountError where two share an id."""
    wanted = {kept.request_id for kept in done.kept}
    seen: set[str] = set()
    found: dict[str, _Asked] = {}
    for response in done.responses:
        seen.add(response.request_id)
        if response.request_id in wanted:
            found[response.request_id] = _Asked(
                response.seed_id, response.prompt_sha256, response.teacher
            )
    if len(seen) != len(done.responses):
        raise CountError(
            f"iteration {done.iteration}: {len(done.responses)} responses share {len(seen)} ids"
        )
    return found


def _balance(
    examples: Rows[Example],
    states: Sequence[SeedState],
    done: Iteration,
    requests: Mapping[str, _Asked],
    wrong: Mapping[str, str],
) -> None:
    """Raise CountError where anything is lost, doubled or comes from nowhere."""
    where = f"iteration {done.iteration}"
    asked = {error.seed_id for error in done.errors if error.ask}
    served: set[str] = set()
    answered: set[str] = set()
    for response in done.responses:
        served.add(response.seed_id)
        if response.status == "answered" and response.purpose == "write":
            answered.add(response.request_id)
    if asked != served:
        raise CountError(
            f"{where}: {len(asked)} seeds were to be asked about, responses are there for"
            f" {len(served)}; differing: {', '.join(sorted(asked ^ served)[:5])}"
        )
    outcome = {row.request_id for row in done.kept} | {row.request_id for row in done.rejected}
    if answered != outcome:
        raise CountError(
            f"{where}: {len(answered)} responses were answered, screening accounts for"
            f" {len(outcome)}; differing: {', '.join(sorted(answered ^ outcome)[:5])}"
        )
    for row in done.kept:
        if requests[row.request_id].seed_id != row.seed_id or row.seed_id not in wrong:
            raise CountError(f"{where}: example {row.example_id} is not of seed {row.seed_id}")
    doubled = _doubled(examples, done.kept)
    if doubled is not None:
        raise CountError(f"{where}: example {doubled} would stand twice in the set")
    predicted = [p.example_id for p in done.predictions if p.split == "seed"]
    if predicted != [state.seed_id for state in states]:
        raise CountError(f"{where}: the predictions are not of this set's seeds, in their order")


def _doubled(examples: Rows[Example], kept: Rows[Kept]) -> str | None:
    seen: set[str] = set()
    for rows in (examples, kept):
        for row in rows:
            if row.example_id in seen:
                return row.example_id
            seen.add(row.example_id)
    return None


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
    by_gate = Counter(row.gate for row in done.rejected)
    counts: Counter[str] = Counter()
    prompt, completion = _Total(), _Total()
    for response in done.responses:
        counts[response.status] += 1
        counts[response.purpose] += 1
        prompt.add(response.n_prompt_tokens)
        completion.add(response.n_completion_tokens)
    answered = counts["answered"]
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
            "solves": counts["solve"],
            "candidates": len(done.kept) + len(done.rejected) - by_gate["parse"],
            "kept": len(done.kept),
            "rejected": dict(sorted(by_gate.items())),
        },
        "accuracy": accuracies,
        "tokens": {"prompt": prompt.value, "completion": completion.value},
        **({"judge": {name: done.judge[name] for name in _JUDGE}} if done.judge else {}),
    }


class _Total:
    """A sum of token counts; unknown, null, as long as none was reported."""

    def __init__(self) -> None:
        self.value: int | None = None

    def add(self, count: int | None) -> None:
        if count is not None:
            self.value = (self.value or 0) + count
