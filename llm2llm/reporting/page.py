"""The report as one HTML page: everything from a file or a model is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from llm2llm.lineage.finished import Finished
from llm2llm.records.examples import Example
from llm2llm.records.screened import Kept
from llm2llm.reporting.charts import accuracy_words, funnel, funnel_words
from llm2llm.reporting.metrics import Measured


@dataclass(frozen=True, slots=True)
class Pair:
    """An example that was written beside the seed it was written for."""

    seed: Example
    example: Example


def page(
    finished: Finished,
    measured: Measured,
    *,
    accuracy_svg: str,
    funnel_svg: str,
    n_examples_shown: int,
    n_closest_shown: int,
) -> str:
    """Write the page; it needs no other file, no network and runs no script."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.1f}"
    environment.filters["points"] = lambda share: f"{100 * share:+.1f}"
    source = files("llm2llm.reporting").joinpath("page.html").read_text(encoding="utf-8")
    seeds = {example.example_id: example for example in finished.examples if not example.request_id}
    return environment.from_string(source).render(
        measured=measured,
        first=measured.points[0],
        last=measured.points[-1],
        funnel=funnel(measured.points),
        accuracy_svg=Markup(_inline(accuracy_svg)),  # noqa: S704  matplotlib escapes its texts
        funnel_svg=Markup(_inline(funnel_svg)),  # noqa: S704
        accuracy_words=accuracy_words(measured),
        funnel_words=funnel_words(measured),
        pairs=pairs(finished.examples, n_examples_shown),
        closest=closest(finished.kept, n_closest_shown),
        suspected=[seeds[name] for name in measured.suspected if name in seeds],
    )


def pairs(examples: Sequence[Example], n_shown: int) -> list[Pair]:
    """Choose examples evenly spaced over the set, in its order, each with its seed."""
    seeds = {example.example_id: example for example in examples if example.origin == "seed"}
    added = [example for example in examples if example.origin != "seed"]
    n = min(n_shown, len(added))
    chosen = [added[k * len(added) // n] for k in range(n)]
    return [Pair(seeds[example.seed_id], example) for example in chosen]


def closest(kept: Sequence[Sequence[Kept]], n_shown: int) -> list[Kept]:
    """List the kept examples that come closest to a test item, the closest first."""
    compared = [row for rows in kept for row in rows if row.nearest_test_score is not None]
    compared.sort(key=lambda row: (-(row.nearest_test_score or 0.0), row.example_id))
    return compared[:n_shown]


def _inline(svg: str) -> str:
    """Cut what may stand before the root element of a file but not inside HTML."""
    return svg[svg.index("<svg") :].replace("<svg", '<svg role="img"', 1)
