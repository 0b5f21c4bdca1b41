"""What each chart of the report shows, in lines and in words."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llm2llm.reporting.drawing import Chart
from llm2llm.reporting.losses import Curve
from llm2llm.reporting.metrics import Measured, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito 2008: told apart under every common color blindness; line style and marker differ
# too, for those who see or print no color. page.css lightens them for a dark page.
_BLUE, _ORANGE, _GREEN = "#0072b2", "#d55e00", "#00795a"
_GREY, _PALE = "#767676", "#c9ced6"
_SIZE = (5.4, 3.7)  # small, so that its text can be read on a telephone


def charts(measured: Measured, curves: Sequence[Curve | None]) -> dict[str, Chart]:
    """Give all charts by name, those left out for which there are no numbers."""
    made = [accuracy_chart(measured), growth_chart(measured)]
    if sum(funnel(measured.points).values()):
        made.append(funnel_chart(measured))
    if any(point.closure for point in measured.points):
        made.append(closure_chart(measured))
    if any(curves):
        made.append(loss_chart(curves))
    return {chart.name: chart for chart in made}


def accuracy_chart(measured: Measured) -> Chart:
    """Show accuracy by iteration, with the control as a level line."""
    points = measured.points
    first, last = points[0], points[-1]
    words = (
        f"Accuracy by iteration. Test: {_percent(first)} before augmentation,"
        f" {_percent(last)} after {last.iteration} iterations."
    )
    if measured.control is not None:
        words += f" Control, seeds alone with equal updates: {100 * measured.control.share:.1f} %."

    def draw(axes: "Axes") -> None:
        x = [point.iteration for point in points]
        test = [100 * point.test.share for point in points]
        below = [100 * (point.test.share - point.test.low) for point in points]
        above = [100 * (point.test.high - point.test.share) for point in points]
        label = "test, with 95 % interval"
        axes.errorbar(x, test, [below, above], color=_BLUE, marker="o", capsize=3, label=label)
        seed = [100 * point.seed.share for point in points]
        axes.plot(x, seed, color=_GREEN, marker="s", linestyle="--", label="seeds")
        if measured.control is not None:
            level = 100 * measured.control.share
            label = f"control, test: {level:.1f} %"
            axes.axhline(level, color=_ORANGE, linestyle=":", linewidth=2, label=label)
        axes.set_ylim(0, 100)
        axes.set_ylabel("right answers, %")
        _by_iteration(axes, points)

    return Chart("accuracy", words, draw, _SIZE)


def growth_chart(measured: Measured) -> Chart:
    """Show how the set grows and how many seeds are still answered wrong."""
    points = measured.points
    first, last = points[0], points[-1]
    words = (
        f"The set grows from {first.n_examples:,} to {last.n_examples:,} examples; the seeds"
        f" answered wrong go from {first.n_errors:,} to {last.n_errors:,}."
    )

    def draw(axes: "Axes") -> None:
        x = [point.iteration for point in points]
        sizes = [point.n_examples for point in points]
        axes.bar(x, sizes, width=0.55, color=_PALE, label="examples trained on")
        errors = [point.n_errors for point in points]
        axes.plot(x, errors, color=_ORANGE, marker="o", label="seeds answered wrong")
        axes.set_ylim(0, 1.08 * max(sizes))
        axes.grid(visible=False, axis="x")
        axes.set_ylabel("number")
        _by_iteration(axes, points)

    return Chart("growth", words, draw, _SIZE)


def funnel(points: Sequence[Point]) -> Mapping[str, int]:
    """Add up requests, answers, candidates and kept examples."""
    counts = [point.counts for point in points if point.counts is not None]
    return {
        "requests": sum(each.requests for each in counts),
        "answered": sum(each.answered for each in counts),
        "candidates": sum(each.candidates for each in counts),
        "kept": sum(each.kept for each in counts),
    }


def funnel_chart(measured: Measured) -> Chart:
    """Show what all iterations asked, got, stopped and kept."""
    totals = funnel(measured.points)
    failed = totals["requests"] - totals["answered"]
    bars = [
        ("requests", totals["requests"], _GREY),
        *([("failed for good", failed, _ORANGE)] if failed else []),
        ("answered", totals["answered"], _GREY),
        ("candidates", totals["candidates"], _GREY),
        *((f"stopped by {gate}", n, _ORANGE) for gate, n in measured.rejected.items()),
        ("kept", totals["kept"], _BLUE),
    ]
    told = ", ".join(f"{value:,} {name}" for name, value in totals.items())
    lost = ", ".join(f"{n:,} by {gate}" for gate, n in measured.rejected.items())
    words = f"From requests to kept examples: {told}." + (f" Stopped: {lost}." if lost else "")

    def draw(axes: "Axes") -> None:
        drawn = axes.barh(
            [name for name, _, _ in bars],
            [value for _, value, _ in bars],
            color=[color for _, _, color in bars],
            height=0.62,
        )
        axes.bar_label(drawn, labels=[f"{value:,}" for _, value, _ in bars], padding=4)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.15 * max(value for _, value, _ in bars))
        axes.grid(visible=False)
        axes.tick_params(left=False)
        axes.set_xlabel("number, all iterations together")

    return Chart("funnel", words, draw, (_SIZE[0], 0.9 + 0.3 * len(bars)))


def closure_chart(measured: Measured) -> Chart:
    """Show what became of the seeds from each student to the next."""
    points = [point for point in measured.points if point.closure]
    closures = [point.closure for point in points if point.closure]
    last = closures[-1]
    words = (
        f"Seeds by iteration, against the student before. The last student fixed {last.n_fixed:,},"
        f" left {last.n_still_wrong:,} wrong and broke {last.n_newly_wrong:,} that were right."
    )

    def draw(axes: "Axes") -> None:
        parts = (
            ("fixed", [c.n_fixed for c in closures], _BLUE),
            ("still wrong", [c.n_still_wrong for c in closures], _PALE),
            ("newly broken", [c.n_newly_wrong for c in closures], _ORANGE),
        )
        x = [point.iteration for point in points]
        for place, (label, values, color) in enumerate(parts):
            at = [each + (place - 1) * 0.27 for each in x]
            axes.bar(at, values, width=0.25, color=color, label=label)
        axes.set_ylabel("seeds")
        axes.grid(visible=False, axis="x")
        axes.set_xticks(x, [str(each) for each in x])
        axes.set_xlabel("iteration")
        _legend(axes)

    return Chart("closure", words, draw, _SIZE)


def loss_chart(curves: Sequence[Curve | None]) -> Chart:
    """Show the training loss of each student, and the loss on dev rows where it was looked at."""
    known = [(student, curve) for student, curve in enumerate(curves) if curve]
    last, final = known[-1]
    words = (
        f"Training loss by update. That of student {last} goes from {final.first:.2f} to"
        f" {final.last:.2f}."
    )

    def draw(axes: "Axes") -> None:
        for place, (student, curve) in enumerate(known):
            share = (place + 1) / len(known)  # pale to strong: later students stand out
            pale = 0.15 + 0.85 * share
            x, y = zip(*curve.train, strict=True)
            axes.plot(x, y, color=_BLUE, alpha=pale, linewidth=1.3, label=str(student))
            if curve.dev:
                x, y = zip(*curve.dev, strict=True)
                axes.plot(x, y, color=_ORANGE, alpha=share, marker=".", linestyle="--")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("update")
        axes.set_ylabel("loss" + (" (dashed: dev rows)" if any(c.dev for _, c in known) else ""))
        _legend(axes, "student", 9)

    return Chart("losses", words, draw, _SIZE)


def _by_iteration(axes: "Axes", points: Sequence[Point]) -> None:
    names = [f"{point.iteration}\n{point.n_examples:,}" for point in points]
    axes.set_xticks([point.iteration for point in points], names)
    axes.set_xlim(-0.5, len(points) - 0.5)
    axes.set_xlabel("iteration, and below it the examples trained on")
    _legend(axes)


def _legend(axes: "Axes", title: str | None = None, n_columns: int = 3) -> None:
    axes.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=n_columns,
        frameon=False,
        title=title,
        fontsize=9,
        handlelength=1.6,
        columnspacing=1.2,
    )


def _percent(point: Point) -> str:
    return f"{100 * point.test.share:.1f} %"
