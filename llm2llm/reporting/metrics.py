"""What a finished run reached, in numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.exceptions import CountError
from llm2llm.grading import RIGHT, Accuracy, accuracy, suspected_label_errors
from llm2llm.lineage.finished import Finished
from llm2llm.lineage.history import Counts, Tokens
from llm2llm.records.predictions import Prediction
from llm2llm.reporting.paired import Gain, gain
from llm2llm.reporting.passing import PassRate


@dataclass(frozen=True, slots=True)
class Closure:
    """What became of the seeds since the student before: wrong then, wrong now, or both.

    `n_requests` and `n_tokens` were spent in between; tokens are null where none were reported.
    """

    n_fixed: int
    n_still_wrong: int
    n_newly_wrong: int
    n_requests: int
    n_tokens: int | None

    @property
    def requests_per_fixed(self) -> float | None:
        """Share the requests out among the seeds fixed; null where none was."""
        return self.n_requests / self.n_fixed if self.n_fixed else None

    @property
    def tokens_per_fixed(self) -> float | None:
        """Share the tokens out among the seeds fixed; null where none was, or none is known."""
        return None if self.n_tokens is None or not self.n_fixed else self.n_tokens / self.n_fixed


@dataclass(frozen=True, slots=True)
class Point:
    """One student; `counts` is null for the last, `closure` for the first.

    `passed` is null where its answers were not drawn several times, or not recorded.
    """

    iteration: int
    n_examples: int
    seed: Accuracy
    dev: Accuracy
    test: Accuracy
    counts: Counts | None
    closure: Closure | None
    passed: PassRate | None

    @property
    def n_errors(self) -> int:
        """Count the seeds that this student gets wrong."""
        return self.seed.n - self.seed.n_right


@dataclass(frozen=True, slots=True)
class Measured:
    """All students in order, the control where one was trained, and what stands out."""

    points: list[Point]
    control: Accuracy | None
    control_passed: PassRate | None
    over_control: Gain | None
    over_first: Gain | None
    rejected: dict[str, int]
    suspected: list[str]


def measure(
    finished: Finished,
    passes: Sequence[PassRate | None] = (),
    control_passed: PassRate | None = None,
) -> Measured:
    """Measure a run; raises CountError where predictions and history.json disagree.

    `passes` are the students' pass rates in order, none at all where nothing was drawn.
    """
    n_students = finished.n_iterations + 1
    points = [
        _point(finished, iteration, passed)
        for iteration, passed in zip(range(n_students), passes or [None] * n_students, strict=True)
    ]
    last, control = finished.predictions[-1], finished.control
    rejected = Counter(row.gate for rows in finished.rejected for row in rows)
    verdicts = {p.example_id: p.verdict for p in last if p.split == "seed"}
    return Measured(
        points=points,
        control=_accuracy(control, "test") if control is not None else None,
        control_passed=control_passed,
        over_control=gain(last, control) if control is not None else None,
        over_first=gain(last, finished.predictions[0]),
        rejected=dict(sorted(rejected.items(), key=lambda pair: (-pair[1], pair[0]))),
        suspected=suspected_label_errors(finished.states, verdicts),
    )


def _point(finished: Finished, iteration: int, passed: PassRate | None) -> Point:
    predictions = finished.predictions[iteration]
    seed, dev, test = (_accuracy(predictions, split) for split in ("seed", "dev", "test"))
    entries = finished.history.iterations
    merged = iteration < len(entries)
    for split, found in (("seed", seed), ("dev", dev), ("test", test)):
        tally = entries[iteration].accuracy.get(split) if merged else None
        if tally and (tally.n, tally.n_right, tally.n_unparsable) != (
            found.n,
            found.n_right,
            found.n_unparsable,
        ):
            raise CountError(
                f"iteration {iteration}, split {split}: predictions have {found.n_right} of"
                f" {found.n} right, history.json says {tally.n_right} of {tally.n};"
                f" `dvc repro --force merge@{iteration}` counts again"
            )
    return Point(
        iteration=iteration,
        n_examples=entries[iteration].set.n_examples if merged else len(finished.examples),
        seed=seed,
        dev=dev,
        test=test,
        counts=entries[iteration].counts if merged else None,
        closure=_closure(finished, iteration) if iteration else None,
        passed=passed,
    )


def _closure(finished: Finished, iteration: int) -> Closure:
    before, after = finished.predictions[iteration - 1 : iteration + 1]
    was = {p.example_id: p.verdict == RIGHT for p in before if p.split == "seed"}
    turns = Counter((was[p.example_id], p.verdict == RIGHT) for p in after if p.split == "seed")
    spent = finished.history.iterations[iteration - 1]
    return Closure(
        n_fixed=turns[False, True],
        n_still_wrong=turns[False, False],
        n_newly_wrong=turns[True, False],
        n_requests=spent.counts.requests,
        n_tokens=_total(spent.tokens),
    )


def _total(tokens: Tokens) -> int | None:
    if tokens.prompt is None and tokens.completion is None:
        return None
    return (tokens.prompt or 0) + (tokens.completion or 0)


def _accuracy(predictions: Sequence[Prediction], split: str) -> Accuracy:
    return accuracy([p.verdict for p in predictions if p.split == split])
