"""What a finished run reached, in numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.exceptions import CountError
from llm2llm.grading import RIGHT, Accuracy, accuracy, suspected_label_errors
from llm2llm.ids import Json
from llm2llm.lineage.finished import Finished
from llm2llm.lineage.history import Counts
from llm2llm.records.predictions import Prediction
from llm2llm.reporting.paired import Gain, gain

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Closure:
    """What became of the seeds since the student before: wrong then, wrong now, or both."""

    n_fixed: int
    n_still_wrong: int
    n_newly_wrong: int


@dataclass(frozen=True, slots=True)
class Point:
    """One student; `counts` is null for the last, `closure` for the first."""

    iteration: int
    n_examples: int
    seed: Accuracy
    dev: Accuracy
    test: Accuracy
    counts: Counts | None
    closure: Closure | None


@dataclass(frozen=True, slots=True)
class Measured:
    """All students in order, the control where one was trained, and what stands out."""

    points: list[Point]
    control: Accuracy | None
    over_control: Gain | None
    over_first: Gain | None
    rejected: dict[str, int]
    suspected: list[str]


def measure(finished: Finished) -> Measured:
    """Measure a run; raises CountError where predictions and history.json disagree."""
    points = [_point(finished, iteration) for iteration in range(finished.n_iterations + 1)]
    last, control = finished.predictions[-1], finished.control
    rejected = Counter(row.gate for rows in finished.rejected for row in rows)
    verdicts = {p.example_id: p.verdict for p in last if p.split == "seed"}
    return Measured(
        points=points,
        control=_accuracy(control, "test") if control is not None else None,
        over_control=gain(last, control) if control is not None else None,
        over_first=gain(last, finished.predictions[0]),
        rejected=dict(sorted(rejected.items(), key=lambda pair: (-pair[1], pair[0]))),
        suspected=suspected_label_errors(finished.states, verdicts),
    )


def as_metrics(measured: Measured) -> dict[str, Json]:
    """Nest the numbers as DVC shows and compares them; what was not measured has no key."""
    first, last = measured.points[0], measured.points[-1]
    metrics: dict[str, Json] = {
        "final": {"n_examples": last.n_examples, **_accuracies(last)},
        "first": {"n_examples": first.n_examples, **_accuracies(first)},
        "iterations": {str(point.iteration): _numbers(point) for point in measured.points},
        "rejected": dict(measured.rejected),
        "n_suspected_label_errors": len(measured.suspected),
    }
    if measured.control is not None:
        metrics["control"] = _interval("test", measured.control)
    for name, found in (
        ("final_minus_control", measured.over_control),
        ("final_minus_first", measured.over_first),
    ):
        if found is not None:
            metrics[name] = {
                "test_accuracy": _short(found.difference),
                "low": _short(found.low),
                "high": _short(found.high),
            }
    return metrics


def as_plot(measured: Measured) -> str:
    """Write one CSV line for each student, after a line of names."""
    names = "iteration,n_examples,seed_accuracy,test_accuracy,test_low,test_high,control_accuracy"
    control = "" if measured.control is None else str(_short(measured.control.share))
    lines = [names]
    for point in measured.points:
        shares = (point.seed.share, point.test.share, point.test.low, point.test.high)
        cells = [point.iteration, point.n_examples, *(_short(share) for share in shares), control]
        lines.append(",".join(str(cell) for cell in cells))
    return "\n".join(lines) + "\n"


def _point(finished: Finished, iteration: int) -> Point:
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
        closure=_closure(finished.predictions[iteration - 1], predictions) if iteration else None,
    )


def _closure(before: Sequence[Prediction], after: Sequence[Prediction]) -> Closure:
    was = {p.example_id: p.verdict == RIGHT for p in before if p.split == "seed"}
    turns = Counter((was[p.example_id], p.verdict == RIGHT) for p in after if p.split == "seed")
    return Closure(turns[False, True], turns[False, False], turns[True, False])


def _accuracy(predictions: Sequence[Prediction], split: str) -> Accuracy:
    return accuracy([p.verdict for p in predictions if p.split == split])


def _accuracies(point: Point) -> dict[str, Json]:
    found: dict[str, Json] = {"seed_accuracy": _short(point.seed.share)}
    if point.dev.n:
        found["dev_accuracy"] = _short(point.dev.share)
    return found | _interval("test", point.test)


def _interval(split: str, found: Accuracy) -> dict[str, Json]:
    return {
        f"{split}_accuracy": _short(found.share),
        f"{split}_low": _short(found.low),
        f"{split}_high": _short(found.high),
        f"n_{split}": found.n,
        f"n_{split}_unparsable": found.n_unparsable,
    }


def _numbers(point: Point) -> dict[str, Json]:
    numbers: dict[str, Json] = {
        "n_examples": point.n_examples,
        "seed_accuracy": _short(point.seed.share),
        "test_accuracy": _short(point.test.share),
    }
    if point.counts is not None:
        counts = point.counts.model_dump(exclude={"rejected"})
        numbers |= {f"n_{name}": value for name, value in counts.items()}
        numbers["n_rejected"] = sum(point.counts.rejected.values())
    if point.closure is not None:
        numbers["n_fixed"] = point.closure.n_fixed
        numbers["n_still_wrong"] = point.closure.n_still_wrong
        numbers["n_newly_wrong"] = point.closure.n_newly_wrong
    return numbers


def _short(share: float) -> float:
    return round(share, _DIGITS)
