"""Report what a finished run reached: metrics and plots for DVC, charts, one HTML page."""

from pathlib import Path

from llm2llm.files import replacing_folder, write_json, write_text
from llm2llm.lineage.finished import read_finished
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.report import ReportParams
from llm2llm.reporting.breakdown import breakdowns, told
from llm2llm.reporting.charts import charts
from llm2llm.reporting.dvc_files import as_metrics, as_plot
from llm2llm.reporting.further import read_further
from llm2llm.reporting.judged import read_judged
from llm2llm.reporting.judged import told as told_judged
from llm2llm.reporting.metrics import measure
from llm2llm.reporting.page import page
from llm2llm.reporting.summary import summary
from llm2llm.stage import PARAMS, run_iteration, say
from llm2llm.tasks.sections import AnswerFormat


def main(n_iterations: int) -> None:
    """Write data/report/ for the run that set `n_iterations` ends."""
    params = load_section(PARAMS, "report", ReportParams)
    finished = read_finished(Path(), n_iterations)
    further = read_further(Path(), finished, params.n_examples_shown)
    measured = measure(finished, further.passes, further.control_passed)
    drawn = charts(measured, further.curves)
    task = Path(load_value(PARAMS, "task", str))
    parts = breakdowns(finished, further.tests, load_section(task, "answer", AnswerFormat))
    judged = read_judged(Path(), finished)
    html = page(finished, measured, further, drawn, params, parts, judged)
    with replacing_folder(Path("data/report")) as target:
        write_text(target / "plots.csv", as_plot(measured))
        for name, chart in drawn.items():
            write_text(target / f"charts/{name}.svg", chart.svg())
            (target / f"charts/{name}.png").write_bytes(chart.png())
        write_text(target / "index.html", html)
        write_json(target / "metrics.json", as_metrics(measured, parts, judged))
    for line in summary(measured):
        say(line)
    if parts is not None:
        say(told(parts))
    if judged is not None:
        say(told_judged(judged))
    say("report: open data/report/index.html")


if __name__ == "__main__":
    run_iteration(main)
