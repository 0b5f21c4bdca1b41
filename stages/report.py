"""Report what a finished run reached: metrics and plots for DVC, charts, one HTML page."""

from pathlib import Path

from llm2llm.files import replacing_folder, write_json, write_text
from llm2llm.lineage.finished import read_finished
from llm2llm.params.loading import load_section
from llm2llm.params.report import ReportParams
from llm2llm.reporting.charts import accuracy_chart, funnel_chart
from llm2llm.reporting.metrics import as_metrics, as_plot, measure
from llm2llm.reporting.page import page
from llm2llm.reporting.summary import summary
from llm2llm.stage import PARAMS, run_iteration, say


def main(n_iterations: int) -> None:
    """Write data/report/ for the run that set `n_iterations` ends."""
    params = load_section(PARAMS, "report", ReportParams)
    finished = read_finished(Path(), n_iterations)
    measured = measure(finished)
    accuracy_svg = accuracy_chart(measured)
    funnel_svg = funnel_chart(measured)
    html = page(
        finished,
        measured,
        accuracy_svg=accuracy_svg,
        funnel_svg=funnel_svg,
        n_examples_shown=params.n_examples_shown,
        n_closest_shown=params.n_closest_shown,
    )
    with replacing_folder(Path("data/report")) as target:
        write_text(target / "plots.csv", as_plot(measured))
        write_text(target / "accuracy.svg", accuracy_svg)
        write_text(target / "funnel.svg", funnel_svg)
        write_text(target / "index.html", html)
        write_json(target / "metrics.json", as_metrics(measured))
    for line in summary(measured):
        say(line)
    say("report: open data/report/index.html")


if __name__ == "__main__":
    run_iteration(main)
