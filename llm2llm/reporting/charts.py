"""The report's charts as SVG; equal numbers give equal bytes."""

import io
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llm2llm.reporting.metrics import Measured, Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito 2008: told apart under every common color blindness; line style and marker differ
# too, for those who see or print no color.
_BLUE, _ORANGE, _GREEN, _GREY = "#0072b2", "#d55e00", "#009e73", "#8a8a8a"

_STYLE = {
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 10,
    "text.parse_math": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.axisbelow": True,
}


def accuracy_chart(measured: Measured) -> str:
    """Draw accuracy by iteration, with the control as a level line."""

    def draw(axes: "Axes") -> None:
        points = measured.points
        x = [point.iteration for point in points]
        low = [100 * point.test.low for point in points]
        high = [100 * point.test.high for point in points]
        test = [100 * point.test.share for point in points]
        seed = [100 * point.seed.share for point in points]
        axes.errorbar(
            x,
            test,
            yerr=[
                [a - b for a, b in zip(test, low, strict=True)],
                [b - a for a, b in zip(test, high, strict=True)],
            ],
            color=_BLUE,
            marker="o",
            capsize=3,
            label="test, with 95 % interval",
        )
        axes.plot(x, seed, color=_GREEN, marker="s", linestyle="--", label="seeds")
        if measured.control is not None:
            level = 100 * measured.control.share
            label = f"control: seeds alone, equal updates ({level:.1f} %, test)"
            axes.axhline(level, color=_ORANGE, linestyle=":", linewidth=2, label=label)
        axes.set_xticks(x, [f"{point.iteration}\n{point.n_examples}" for point in points])
        axes.set_xlim(-0.4, max(x) + 0.4)
        axes.set_ylim(0, 100)
        axes.set_xlabel("iteration, and below it the number of examples trained on")
        axes.set_ylabel("right answers, %")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, frameon=False)

    return _svg("accuracy", accuracy_words(measured), draw, (7.2, 4.4))


def accuracy_words(measured: Measured) -> str:
    """Say in words what the accuracy chart shows."""
    first, last = measured.points[0], measured.points[-1]
    words = (
        f"Accuracy by iteration. Test: {_percent(first)} before augmentation,"
        f" {_percent(last)} after {last.iteration} iterations."
    )
    if measured.control is not None:
        words += f" Control, seeds alone with equal updates: {100 * measured.control.share:.1f} %."
    return words


def funnel_chart(measured: Measured) -> str:
    """Draw what all iterations asked, got and kept."""
    totals = funnel(measured.points)

    def draw(axes: "Axes") -> None:
        names, values = list(totals), list(totals.values())
        bars = axes.barh(names, values, color=[_GREY] * (len(names) - 1) + [_BLUE], height=0.62)
        axes.bar_label(bars, labels=[f"{value:,}" for value in values], padding=4)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.15 * max(*values, 1))
        axes.grid(visible=False)
        axes.tick_params(left=False)
        axes.set_xlabel("number, all iterations together")

    return _svg("funnel", funnel_words(measured), draw, (7.2, 2.6))


def funnel_words(measured: Measured) -> str:
    """Say in words what the funnel shows."""
    numbers = ", ".join(f"{value:,} {name}" for name, value in funnel(measured.points).items())
    return f"From requests to kept examples: {numbers}."


def funnel(points: Sequence[Point]) -> Mapping[str, int]:
    """Add up requests, answers, candidates and kept examples."""
    counts = [point.counts for point in points if point.counts is not None]
    return {
        "requests": sum(each.requests for each in counts),
        "answered": sum(each.answered for each in counts),
        "candidates": sum(each.candidates for each in counts),
        "kept": sum(each.kept for each in counts),
    }


def _percent(point: Point) -> str:
    return f"{100 * point.test.share:.1f} %"


def _svg(name: str, words: str, draw: Any, size: tuple[float, float]) -> str:
    """Render without a screen, date or random id; ids start with `name`, so charts share a page."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        draw(figure.add_subplot())
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Title": words})
    text = re.sub(r'(\bid="|"#|url\(#)', rf"\g<1>{name}-", stream.getvalue())
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
