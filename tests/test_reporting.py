"""Reporting: numbers, intervals, charts and the page."""

import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from finished_run import TEST_INPUTS, make_run
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.exceptions import CountError
from llm2llm.files import read_records, write_records
from llm2llm.lineage.finished import Finished, read_finished
from llm2llm.records.predictions import Prediction
from llm2llm.reporting.charts import accuracy_chart, funnel, funnel_chart
from llm2llm.reporting.metrics import Measured, as_metrics, as_plot, measure
from llm2llm.reporting.page import closest, page, pairs
from llm2llm.reporting.paired import gain, paired_gain
from llm2llm.reporting.summary import summary

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e\"'{{ 7*7 }}</pre>"


def read(root: Path, **how: object) -> tuple[Finished, Measured]:
    """Make a run, read it and measure it."""
    make_run(root, **how)  # type: ignore[arg-type]
    finished = read_finished(root, int(str(how.get("n_iterations", 2))))
    return finished, measure(finished)


def render(finished: Finished, measured: Measured) -> str:
    """Write the page of a run."""
    return page(
        finished,
        measured,
        accuracy_svg=accuracy_chart(measured),
        funnel_svg=funnel_chart(measured),
        n_examples_shown=4,
        n_closest_shown=5,
    )


class Elements(HTMLParser):
    """All start tags with their attributes, and the text between tags."""

    def __init__(self, html: str) -> None:
        """Take the page apart."""
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.text += data


@pytest.mark.parametrize(
    ("cells", "difference", "low", "high"),
    [
        # Cavo et al. 2012 and Bentur et al. 2009, as computed in Fagerland, Lydersen and Laake,
        # Statistical Analysis of Contingency Tables (2017), chapter 8.
        ((59, 6, 16, 80), -0.0621, -0.1186, -0.0046),
        ((1, 1, 7, 12), -0.286, -0.507, -0.026),
    ],
)
def test_paired_interval_agrees_with_published_ones(
    cells: tuple[int, int, int, int], difference: float, low: float, high: float
) -> None:
    """Newcombe's interval comes out as printed, to the printed digits."""
    found = paired_gain(*cells)
    assert (found.difference, found.low, found.high) == pytest.approx(
        (difference, low, high), abs=5e-4
    )


@given(st.tuples(*[st.integers(0, 60)] * 4).filter(any))
def test_paired_interval_is_symmetric_and_holds_the_difference(
    cells: tuple[int, int, int, int],
) -> None:
    """Swapping the students mirrors the interval, which lies in -1 to 1 around the difference."""
    both, first, second, neither = cells
    found, swapped = paired_gain(*cells), paired_gain(both, second, first, neither)
    assert -1 - 1e-9 <= found.low <= found.difference <= found.high <= 1 + 1e-9
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low))


def test_gain_pairs_by_item_not_by_place() -> None:
    """The order of a file does not matter; other items are refused."""
    ids = ["a", "b", "c"]
    first = [Prediction("test", name, "", "1", "right", False, 1) for name in ids]
    verdicts = ["right", "wrong", "wrong"]
    second = [
        Prediction("test", name, "", "1", verdict, False, 1)
        for name, verdict in zip(ids, verdicts, strict=True)
    ]
    found = gain(first, second[::-1])
    assert found is not None
    assert (found.n, found.n_only_first_right, found.n_only_second_right) == (3, 2, 0)
    with pytest.raises(CountError, match="different test items, c among them"):
        gain(first, second[:2])
    assert gain([], []) is None
    doubled = gain([*first, first[0]], [*second, second[0]])
    assert doubled is not None
    assert doubled.n == len(first) + 1, "a test row that stands twice counts twice"


def test_metrics_count_what_the_run_holds(tmp_path: Path) -> None:
    """Accuracies, closure, funnel, gates and suspects are those that were made up."""
    _, measured = read(tmp_path)
    assert [point.test.n_right for point in measured.points] == [1, 2, 3]
    assert [point.seed.n_right for point in measured.points] == [2, 2, 3]
    assert [point.n_examples for point in measured.points] == [5, 7, 8]
    closures = [point.closure for point in measured.points if point.closure]
    assert [(c.n_fixed, c.n_still_wrong, c.n_newly_wrong) for c in closures] == [
        (1, 2, 1),
        (2, 1, 1),
    ]
    assert dict(funnel(measured.points)) == {
        "requests": 6,
        "answered": 5,
        "candidates": 6,
        "kept": 3,
    }
    assert measured.rejected == {"duplicate": 1, "parse": 1, "rouge": 1, "validity": 1}
    assert len(measured.suspected) == 1
    assert measured.control is not None
    assert measured.control.n_right == 2


def test_metrics_are_numbers_only(tmp_path: Path) -> None:
    """DVC can show and compare every leaf, and the final numbers stand where one looks."""
    _, measured = read(tmp_path)
    metrics = as_metrics(measured)

    def leaves(value: object) -> list[object]:
        if isinstance(value, dict):
            return [leaf for inner in value.values() for leaf in leaves(inner)]
        return [value]

    assert all(type(leaf) in (int, float) for leaf in leaves(metrics))
    assert metrics["final"]["test_accuracy"] == 0.75  # type: ignore[call-overload, index]
    assert metrics["control"]["test_accuracy"] == 0.5  # type: ignore[call-overload, index]
    gained = metrics["final_minus_control"]
    assert gained == {"test_accuracy": 0.25, "low": -0.319557, "high": 0.655287}


def test_without_a_control_nothing_is_said_of_one(tmp_path: Path) -> None:
    """What was not measured has no key, and the page says what that means."""
    finished, measured = read(tmp_path, control=False)
    assert not {"control", "final_minus_control"} & as_metrics(measured).keys()
    assert "Without a control with equal updates" in render(finished, measured)
    assert "no control was trained" in summary(measured)[-1]


def test_plot_has_a_line_for_each_student(tmp_path: Path) -> None:
    """The plots file holds accuracy, interval and control by iteration."""
    _, measured = read(tmp_path)
    lines = list(csv.DictReader(io.StringIO(as_plot(measured))))
    assert [line["iteration"] for line in lines] == ["0", "1", "2"]
    assert [line["test_accuracy"] for line in lines] == ["0.25", "0.5", "0.75"]
    assert {line["control_accuracy"] for line in lines} == {"0.5"}


def test_a_history_that_disagrees_is_refused(tmp_path: Path) -> None:
    """Predictions and history.json must tell of the same right answers."""
    make_run(tmp_path)
    finished = read_finished(tmp_path, 2)
    swapped = [finished.predictions[1], *finished.predictions[1:]]
    changed = Finished(
        finished.n_iterations,
        finished.history,
        finished.examples,
        finished.states,
        swapped,
        finished.kept,
        finished.rejected,
        finished.control,
    )
    with pytest.raises(CountError, match="iteration 0, split seed"):
        measure(changed)


def test_the_page_escapes_everything(tmp_path: Path) -> None:
    """Scripts, handlers, closing tags and templates in any text stay text."""
    finished, measured = read(tmp_path, hostile=HOSTILE)
    html = render(finished, measured)
    parts = Elements(html)
    names = [name for name, _ in parts.tags]
    assert "script" not in names
    assert "img" not in names
    assert not [a for _, attrs in parts.tags for a in attrs if a.startswith("on")]
    assert parts.text.count("<script>alert(1)</script>") >= 4
    assert "{{ 7*7 }}" in parts.text


def test_the_page_stands_alone(tmp_path: Path) -> None:
    """Nothing is loaded from elsewhere, ids are unique, and references lead to ids of the page."""
    finished, measured = read(tmp_path)
    html = render(finished, measured)
    parts = Elements(html)
    links = [
        value or ""
        for tag, attrs in parts.tags
        for name, value in attrs.items()
        if name in ("href", "src", "xlink:href", "data", "srcset") and tag != "meta"
    ]
    assert links
    assert all(link.startswith("#") for link in links)
    ids = [attrs["id"] for _, attrs in parts.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links} <= set(ids)
    assert {found[1:] for found in re.findall(r"url\((.*?)\)", html)} <= {str(i) for i in ids}
    assert "default-src 'none'" in html
    assert [tag for tag, attrs in parts.tags if attrs.get("role") == "img"] == ["svg", "svg"]


def test_the_page_holds_no_test_text(tmp_path: Path) -> None:
    """The leak that equals a test item is counted, never shown."""
    finished, measured = read(tmp_path)
    html = render(finished, measured)
    assert TEST_INPUTS[0] in {row.input for rows in finished.rejected for row in rows}
    assert not [text for text in TEST_INPUTS if text in html]


@pytest.mark.parametrize(
    "how", [{"n_iterations": 0}, {"n_iterations": 0, "control": False}, {"asked": False}]
)
def test_a_run_without_augmentation_has_a_page(tmp_path: Path, how: dict[str, object]) -> None:
    """No iterations, or nothing asked, still gives page, charts and metrics."""
    finished, measured = read(tmp_path, **how)
    html = render(finished, measured)
    assert "Nothing was asked of a teacher." in html
    assert "Nothing was rejected." in html
    assert "No examples were added." in html


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    """Charts and page of two equal runs do not differ in a byte, and tell no date."""
    one, other = (read(tmp_path / name) for name in ("one", "other"))
    assert render(*one) == render(*other)
    assert accuracy_chart(one[1]) == accuracy_chart(other[1])
    assert "<dc:date>" not in accuracy_chart(one[1])


def test_charts_are_xml_with_a_title(tmp_path: Path) -> None:
    """Each SVG parses and says in words what it shows."""
    _, measured = read(tmp_path)
    for svg, words in (
        (accuracy_chart(measured), "75.0 % after 2 iterations. Control"),
        (funnel_chart(measured), "6 requests, 5 answered, 6 candidates, 3 kept"),
    ):
        root = ElementTree.fromstring(svg)  # noqa: S314  our own file
        title = root.find("{http://www.w3.org/2000/svg}title")
        assert title is not None
        assert words in (title.text or "")


def test_pairs_and_closest_are_as_many_as_asked(tmp_path: Path) -> None:
    """The examples shown are evenly spaced and the closest come first."""
    finished, _ = read(tmp_path)
    shown = pairs(finished.examples, 2)
    assert [pair.example.iteration for pair in shown] == [0, 0]
    assert all(pair.seed.example_id == pair.example.seed_id for pair in shown)
    assert pairs(finished.examples, 0) == []
    assert [row.nearest_test_score for row in closest(finished.kept, 9)] == [0.44, 0.31]
    assert len(closest(finished.kept, 1)) == 1


def test_summary_is_a_short_table(tmp_path: Path) -> None:
    """One line for each student and the gain over the control, with its interval."""
    _, measured = read(tmp_path)
    lines = summary(measured)
    assert len(lines) == 5
    assert lines[3].split() == ["2", "8", "60.0", "75.0", "-", "-"]
    assert "+25.0 points (95 % interval -32.0 to +65.5, 4 test items)" in lines[-1]


def test_changed_control_predictions_are_refused(tmp_path: Path) -> None:
    """A control that answered fewer items than the student cannot be compared."""
    make_run(tmp_path)
    path = tmp_path / "data/control/predictions.parquet"
    write_records(path, Prediction, read_records(path, Prediction)[:-1])
    with pytest.raises(CountError, match="different test items"):
        measure(read_finished(tmp_path, 2))
