"""The report as one HTML page: everything from a file or a model is escaped."""

import base64
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from llm2llm.lineage.finished import Finished
from llm2llm.params.report import ReportParams
from llm2llm.records.examples import Example
from llm2llm.reporting.breakdown import MOST_CLASSES, Breakdowns, matrix, pairs
from llm2llm.reporting.charts import funnel
from llm2llm.reporting.drawing import Chart
from llm2llm.reporting.further import Further
from llm2llm.reporting.judged import JudgedAnswers
from llm2llm.reporting.metrics import Measured
from llm2llm.reporting.nearest import closest, stopped
from llm2llm.reporting.table import table
from llm2llm.reporting.visible import visible

_N_REASONS = 3


@dataclass(frozen=True, slots=True)
class Rejection:
    """What one gate stopped: in all, by iteration, and its most frequent reasons."""

    gate: str
    n: int
    by_iteration: Sequence[int]
    reasons: Sequence[tuple[str, int]]
    n_other_reasons: int


def page(
    finished: Finished,
    measured: Measured,
    further: Further,
    charts: Mapping[str, Chart],
    params: ReportParams,
    parts: Breakdowns | None = None,
    judged: JudgedAnswers | None = None,
) -> str:
    """Write the page; it needs no other file and no network, and only its own script may run.

    `parts` are the scores by class, label or field, of answers that have some; `judged` counts
    those that were put to a judge.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.1f}"
    environment.filters["points"] = lambda share: f"{100 * share:+.1f}"
    environment.filters["number"] = lambda number: f"{number:,}"
    environment.filters["visible"] = visible
    environment.filters["share"] = lambda share: "-" if share is None else f"{100 * share:.1f}"
    style, script = _packaged("page.css"), _packaged("page.js")
    rows = table(
        finished, n_examples=params.n_table_examples, n_characters=params.n_table_characters
    )
    n_stopped, leaks = stopped(finished, further.tests, params.n_closest_shown)
    # The charts are made here, and the JSON has no `<` left.
    return environment.from_string(_packaged("page.html")).render(
        measured=measured,
        first=measured.points[0],
        last=measured.points[-1],
        funnel=funnel(measured.points),
        rejections=rejections(finished),
        charts={name: Markup(chart.inline()) for name, chart in charts.items()},  # noqa: S704
        words={name: chart.words for name, chart in charts.items()},
        curves=further.curves,
        n_stopped=n_stopped,
        leaks=leaks,
        closest=closest(finished, further.tests, params.n_closest_shown),
        n_suspected=len(measured.suspected),
        suspected=_suspected(finished, measured, params.n_suspects_shown),
        chains=further.chains,
        parts=parts,
        judged=judged,
        n_classes=MOST_CLASSES,
        matrix=matrix(parts.final.confusion or []) if parts else None,
        confused=pairs(parts.final.confusion or []) if parts else [],
        table=rows,
        table_json=Markup(rows.json),  # noqa: S704
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        policy="; ".join(
            (
                "default-src 'none'",
                f"style-src {_hash(style)}",
                f"script-src {_hash(script)}",
                "base-uri 'none'",
                "form-action 'none'",
            )
        ),
    )


def rejections(finished: Finished) -> list[Rejection]:
    """Count what each gate stopped, the busiest gate first."""
    reasons: dict[str, Counter[str]] = {}
    by_iteration: dict[str, Counter[int]] = {}
    for iteration, rows in enumerate(finished.rejected):
        for row in rows:
            reasons.setdefault(row.gate, Counter())[row.reason] += 1
            by_iteration.setdefault(row.gate, Counter())[iteration] += 1
    found = []
    for gate, counted in reasons.items():
        frequent = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        found.append(
            Rejection(
                gate=gate,
                n=counted.total(),
                by_iteration=[by_iteration[gate][i] for i in range(finished.n_iterations)],
                reasons=frequent[:_N_REASONS],
                n_other_reasons=len(frequent[_N_REASONS:]),
            )
        )
    return sorted(found, key=lambda rejection: (-rejection.n, rejection.gate))


def _suspected(finished: Finished, measured: Measured, n_shown: int) -> list[Example]:
    wanted = set(measured.suspected[:n_shown])
    return [each for each in finished.examples if not each.request_id and each.example_id in wanted]


def _packaged(name: str) -> str:
    return files("llm2llm.reporting").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
