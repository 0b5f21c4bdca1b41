"""The run as a short table of plain text."""

from llm2llm.reporting.metrics import Measured


def summary(measured: Measured) -> list[str]:
    """Write one line for each student, then what the control says."""
    lines = ["iteration  examples  seed %  test %   kept  rejected"]
    for point in measured.points:
        kept = rejected = "-"
        if point.counts is not None:
            kept, rejected = str(point.counts.kept), str(sum(point.counts.rejected.values()))
        lines.append(
            f"{point.iteration:>9}  {point.n_examples:>8}  {100 * point.seed.share:>6.1f}"
            f"  {100 * point.test.share:>6.1f}  {kept:>5}  {rejected:>8}"
        )
    first, last = measured.points[0], measured.points[-1]
    all_right = first.seed.n_right == first.seed.n
    if first is not last and all_right and last.n_examples == first.n_examples:
        lines.append(
            "every seed was answered right, so nothing was asked of the teacher; fewer epochs, or"
            " more seeds, leave errors to learn from"
        )
    if measured.control is None or measured.over_control is None:
        return [*lines, "no control was trained: the curve alone does not show what the data did"]
    found = measured.over_control
    return [
        *lines,
        f"seeds alone, equal updates: {100 * measured.control.share:.1f} %; final minus that:"
        f" {100 * found.difference:+.1f} points (95 % interval {100 * found.low:+.1f} to"
        f" {100 * found.high:+.1f}, {found.n} test items)",
    ]
