"""The numbers of a run as DVC shows and compares them."""

from llm2llm.grading import Accuracy
from llm2llm.ids import Json
from llm2llm.reporting.breakdown import Breakdowns, as_json, f1s
from llm2llm.reporting.judged import Counts, JudgedAnswers
from llm2llm.reporting.metrics import Measured, Point
from llm2llm.reporting.passing import PassRate

_DIGITS = 6


def as_metrics(
    measured: Measured, parts: Breakdowns | None = None, judged: JudgedAnswers | None = None
) -> dict[str, Json]:
    """Nest the numbers as DVC shows and compares them; what was not measured has no key.

    `parts` are the scores by class, label or field, of answers that have some; `judged` counts
    those that were put to a judge.
    """
    first, last = measured.points[0], measured.points[-1]
    of_final, of_first = (f1s(parts.final), f1s(parts.first)) if parts else ({}, {})
    if judged:
        of_final |= _judged(judged.final)
        of_first |= _judged(judged.first)
    metrics: dict[str, Json] = {
        "final": {"n_examples": last.n_examples, **_accuracies(last), **of_final},
        "first": {"n_examples": first.n_examples, **_accuracies(first), **of_first},
        "iterations": {str(point.iteration): _numbers(point) for point in measured.points},
        "rejected": dict(measured.rejected),
        "n_suspected_label_errors": len(measured.suspected),
    }
    if measured.control is not None:
        control = _interval("test", measured.control) | _passed(measured.control_passed)
        if parts and parts.control:
            control |= f1s(parts.control)
        if judged and judged.control is not None:
            control |= _judged(judged.control)
        metrics["control"] = control
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
    return metrics | (as_json(parts.final) if parts else {})


def as_plot(measured: Measured) -> str:
    """Write one CSV line for each student, after a line of names."""
    names = (
        "iteration,n_examples,n_errors,seed_accuracy,test_accuracy,test_low,test_high,"
        "control_accuracy"
    )
    control = "" if measured.control is None else str(_short(measured.control.share))
    lines = [names]
    for point in measured.points:
        shares = (point.seed.share, point.test.share, point.test.low, point.test.high)
        counts = (point.iteration, point.n_examples, point.n_errors)
        cells = [*counts, *(_short(share) for share in shares), control]
        lines.append(",".join(str(cell) for cell in cells))
    return "\n".join(lines) + "\n"


def _accuracies(point: Point) -> dict[str, Json]:
    found: dict[str, Json] = {"seed_accuracy": _short(point.seed.share)}
    if point.dev.n:
        found["dev_accuracy"] = _short(point.dev.share)
    return found | _interval("test", point.test) | _passed(point.passed)


def _passed(found: PassRate | None) -> dict[str, Json]:
    if found is None:
        return {}
    return {
        "test_pass_rate": _short(found.mean),
        "test_any_right": _short(found.any_right),
        "n_draws": found.n_draws,
    }


def _judged(counts: Counts) -> dict[str, Json]:
    return {f"{split}_judged": dict(each) for split, each in counts.items()}


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
        "n_errors": point.n_errors,
        "seed_accuracy": _short(point.seed.share),
        "test_accuracy": _short(point.test.share),
    }
    numbers |= _passed(point.passed)
    if point.counts is not None:
        counts = point.counts.model_dump(exclude={"rejected"})
        numbers |= {f"n_{name}": value for name, value in counts.items()}
        numbers["n_rejected"] = sum(point.counts.rejected.values())
    if point.closure is not None:
        numbers["n_fixed"] = point.closure.n_fixed
        numbers["n_still_wrong"] = point.closure.n_still_wrong
        numbers["n_newly_wrong"] = point.closure.n_newly_wrong
        for name in ("requests_per_fixed", "tokens_per_fixed"):
            if (cost := getattr(point.closure, name)) is not None:
                numbers[name] = _short(cost)
    return numbers


def _short(number: float) -> float:
    return round(number, _DIGITS)
