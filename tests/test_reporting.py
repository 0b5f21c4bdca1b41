"""Reporting: numbers, intervals, charts and the page."""

import base64
import csv
import dataclasses
import hashlib
import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from finished_run import TEST_INPUTS, make_run
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.exceptions import CountError, DataError
from llm2llm.files import read_records, write_records
from llm2llm.lineage.finished import Finished, read_finished
from llm2llm.params.report import ReportParams
from llm2llm.records.predictions import Prediction
from llm2llm.records.samples import Sample
from llm2llm.reporting.breakdown import breakdowns, matrix, pairs
from llm2llm.reporting.chains import chains
from llm2llm.reporting.charts import charts, funnel
from llm2llm.reporting.differing import differing
from llm2llm.reporting.dvc_files import as_metrics, as_plot
from llm2llm.reporting.further import Further, read_further
from llm2llm.reporting.losses import curve
from llm2llm.reporting.metrics import Measured, measure
from llm2llm.reporting.nearest import closest, stopped
from llm2llm.reporting.page import page, rejections
from llm2llm.reporting.paired import gain, paired_gain
from llm2llm.reporting.passing import PassRate, pass_rate
from llm2llm.reporting.summary import summary
from llm2llm.reporting.table import table
from llm2llm.reporting.visible import MAX_CHARACTERS, visible
from llm2llm.scoring import Cell
from llm2llm.tasks.sections import AnswerField, AnswerFormat

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202e\"'{{ 7*7 }}</pre>"


def read(root: Path, **how: object) -> tuple[Finished, Measured, Further]:
    """Make a run, read it and measure it."""
    make_run(root, **how)  # type: ignore[arg-type]
    finished = read_finished(root, int(str(how.get("n_iterations", 2))))
    further = read_further(root, finished, 2)
    return finished, measure(finished, further.passes, further.control_passed), further


def params(**changed: int) -> ReportParams:
    """Give the section with some values changed."""
    usual = {
        "n_examples_shown": 2,
        "n_closest_shown": 5,
        "n_suspects_shown": 5,
        "n_table_examples": 100,
        "n_table_characters": 500,
    }
    return ReportParams(**{**usual, **changed})


def render(finished: Finished, measured: Measured, further: Further, **changed: int) -> str:
    """Write the page of a run, without charts, which take longest."""
    return page(finished, measured, further, {}, params(**changed))


def table_of(html: str) -> Any:
    """Read the data of the page's table."""
    text = html.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    return json.loads(text)


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
    _, measured, _ = read(tmp_path)
    assert [point.test.n_right for point in measured.points] == [1, 2, 3]
    assert [point.seed.n_right for point in measured.points] == [2, 2, 3]
    assert [point.n_examples for point in measured.points] == [5, 7, 8]
    closures = [point.closure for point in measured.points if point.closure]
    assert [(c.n_fixed, c.n_still_wrong, c.n_newly_wrong) for c in closures] == [
        (1, 2, 1),
        (2, 1, 1),
    ]
    assert [(c.n_requests, c.requests_per_fixed) for c in closures] == [(3, 3.0), (3, 1.5)]
    assert [c.tokens_per_fixed for c in closures] == [360.0, 120.0]
    assert [point.n_errors for point in measured.points] == [3, 3, 2]
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
    _, measured, _ = read(tmp_path)
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
    finished, measured, further = read(tmp_path, control=False)
    assert not {"control", "final_minus_control"} & as_metrics(measured).keys()
    assert "Without a control with equal updates" in render(finished, measured, further)
    assert "no control was trained" in summary(measured)[-1]


def test_plot_has_a_line_for_each_student(tmp_path: Path) -> None:
    """The plots file holds accuracy, interval and control by iteration."""
    _, measured, _ = read(tmp_path)
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
    finished, measured, further = read(tmp_path, hostile=HOSTILE)
    html = render(finished, measured, further)
    parts = Elements(html)
    scripts = [attrs for tag, attrs in parts.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}]
    assert not {"img", "iframe", "object", "link", "form-action"} & {tag for tag, _ in parts.tags}
    assert not [a for _, attrs in parts.tags for a in attrs if a.startswith("on") or a == "style"]
    assert parts.text.count("<script>alert(1)</script>") >= 10
    assert "{{ 7*7 }}" in parts.text
    assert "<" not in html.split('id="data">')[1].split("</script>")[0]
    assert any(HOSTILE in seed[1] for seed in table_of(html)["seeds"]), "the table has it whole"


def test_characters_that_reorder_or_hide_are_shown(tmp_path: Path) -> None:
    """A direction override, a zero-width space or a NUL stands as its code point."""
    assert str(visible("a\u202eb\u200b\u0000<\n\tc\u200dd")) == (
        'a<span class="code">U+202E</span>b<span class="code">U+200B</span>'
        '<span class="code">U+0000</span>&lt;\n\tc\u200dd'
    )
    assert "5 more characters" in visible("x" * (MAX_CHARACTERS + 5))
    finished, measured, further = read(tmp_path, hostile=HOSTILE)
    markup = render(finished, measured, further).split('<script type="application/json"')[0]
    assert "\u202e" not in markup
    assert "U+202E" in markup


def test_script_and_style_show_the_same_characters() -> None:
    """page.js and visible.py have one list of hidden characters."""
    script = files("llm2llm.reporting").joinpath("page.js").read_text(encoding="utf-8")
    told = re.search(r"const HIDDEN = /\[(.*)\]/u;", script)
    assert told
    listed = re.sub(
        r"\\u\{?([0-9a-f]+)\}?", lambda m: re.escape(chr(int(m.group(1), 16))), told.group(1)
    )
    everything = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    of_script = {f"U+{ord(each):04X}" for each in re.findall(f"[{listed}]", everything)}
    chunks = (everything[at : at + 10_000] for at in range(0, len(everything), 10_000))
    assert of_script == {code for each in chunks for code in re.findall(r"U\+\w+", visible(each))}


def test_only_the_pages_own_script_and_style_may_run(tmp_path: Path) -> None:
    """The policy names both by their hash and allows nothing else."""
    html = render(*read(tmp_path))
    found = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert found
    policy = found.group(1).replace("&#39;", "'")
    for name, pattern in (("style", "<style>(.*?)</style>"), ("script", "<script>(.*?)</script>")):
        text = re.search(pattern, html, re.DOTALL)
        assert text
        digest = base64.b64encode(hashlib.sha256(text.group(1).encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy


def test_the_page_stands_alone(tmp_path: Path) -> None:
    """Nothing is loaded from elsewhere, ids are unique, and references lead to ids of the page."""
    finished, measured, further = read(tmp_path)
    html = page(finished, measured, further, charts(measured, further.curves), params())
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
    assert [tag for tag, attrs in parts.tags if attrs.get("role") == "img"] == ["svg"] * 4
    labels = [attrs["aria-labelledby"] for _, attrs in parts.tags if "aria-labelledby" in attrs]
    assert set(labels) <= set(ids)


def test_leaks_stand_beside_their_test_item(tmp_path: Path) -> None:
    """Stopped candidates and the closest kept ones are paired, and the page says whose it is."""
    finished, measured, further = read(tmp_path)
    n_stopped, leaks = stopped(finished, further.tests, 9)
    assert (n_stopped, [(pair.gate, pair.score) for pair in leaks]) == (1, [("rouge", 0.97)])
    assert not [piece for piece in leaks[0].candidate if piece.differs]
    near = closest(finished, further.tests, 9)
    assert [pair.score for pair in near] == [0.44, 0.31]
    assert [pair.test_id for pair in near] == [
        row.nearest_test_id for row in reversed(finished.kept[0])
    ]
    assert len(closest(finished, further.tests, 1)) == 1
    html = render(finished, measured, further)
    assert TEST_INPUTS[0] in Elements(html).text
    assert "Not for publication" in html
    none = render(finished, measured, further, n_closest_shown=0)
    assert "Test item" in html
    assert "Test item" not in none


def test_a_test_item_that_is_gone_is_named(tmp_path: Path) -> None:
    """Screening and test set of different runs do not go together."""
    finished, _, further = read(tmp_path)
    with pytest.raises(DataError, match=r"found no item ex-.*screening of iteration 0 names"):
        stopped(finished, {}, 1)
    assert closest(finished, further.tests, 0) == []


@given(st.text(alphabet="ab \n.,\u202e"), st.text(alphabet="ab \n.,\u202e"))
def test_pieces_join_to_the_texts(one: str, other: str) -> None:
    """Nothing is lost, and both texts without what differs hold the same words."""
    pieces = differing(one, other)
    assert ["".join(piece.text for piece in side) for side in pieces] == [one, other]
    plain = [" ".join(piece.text for piece in side if not piece.differs) for side in pieces]
    equal = [re.findall(r"\w+|[^\w\s]", text) for text in plain]
    assert equal[0] == equal[1]


def test_differing_words_are_marked() -> None:
    """What only one text has is marked, neighbors as one piece."""
    left, right = differing("Ann has 3 red pears.", "Ann has 4 pears.")
    assert [piece.text for piece in left if piece.differs] == ["3 red"]
    assert [piece.text for piece in right if piece.differs] == ["4"]


def test_chains_hold_every_link(tmp_path: Path) -> None:
    """Seed, wrong answer, request, response, gates and outcome belong to one another."""
    finished, _, further = read(tmp_path)
    assert [chain.example.iteration for chain in further.chains] == [0, 0]
    for chain in further.chains:
        assert chain.seed.example_id == chain.example.seed_id == chain.error.seed_id
        assert chain.response.request_id == chain.example.request_id == chain.kept.request_id
        assert chain.error.text == chain.example.error
        assert [role for role, _ in chain.messages] == ["system", "user"]
        assert [gate.name for gate in chain.gates] == ["exact", "rouge"]
    assert chains(tmp_path, finished, 0) == []
    assert len(chains(tmp_path, finished, 99)) == 3


@pytest.mark.parametrize("name", ["errors.parquet", "responses.parquet", "student/manifest.json"])
def test_a_changed_earlier_file_is_refused(tmp_path: Path, name: str) -> None:
    """What the page shows of earlier iterations is what history.json vouches for."""
    make_run(tmp_path)
    with (tmp_path / f"data/iterations/0/{name}").open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(DataError, match=f"{name}: SHA-256 is"):
        read_further(tmp_path, read_finished(tmp_path, 2), 3)


def test_the_table_holds_every_seed_with_its_examples(tmp_path: Path) -> None:
    """Verdicts, examples and rejections stand by seed; long texts are cut and counted."""
    finished, _, _ = read(tmp_path)
    whole = table(finished, n_examples=100, n_characters=500)
    rows = json.loads(whole.json)["seeds"]
    assert [row[3] for row in rows] == ["wrr", "wuw", "rwr", "rrw", "wwr"]
    assert [len(row[6]) for row in rows] == [1, 1, 1, 0, 0]
    assert sum(len(row[5]) for row in rows) == 4
    assert (whole.n_seeds_shown, whole.n_examples_shown, whole.n_cut) == (5, 8, 0)
    cut = table(finished, n_examples=100, n_characters=20)
    assert cut.n_cut > 5
    assert json.loads(cut.json)["seeds"][0][1] == rows[0][1][:20] + "\u2026"


def test_a_large_table_leaves_out_seeds_and_says_so(tmp_path: Path) -> None:
    """Of 8 examples half are wanted: 2 of 5 seeds, evenly spaced, and the page counts them."""
    finished, measured, further = read(tmp_path)
    found = table(finished, n_examples=4, n_characters=500)
    assert (found.n_seeds_shown, found.n_examples_shown) == (2, 4)
    told = Elements(render(finished, measured, further, n_table_examples=4)).text
    assert "2 of 5 seeds, evenly spaced, with 4 of\n8 examples" in told
    assert table(finished, n_examples=0, n_characters=500).n_seeds_shown == 0


def test_rejections_count_by_gate_and_iteration(tmp_path: Path) -> None:
    """Every rejection is counted once, with its reasons."""
    finished, measured, _ = read(tmp_path)
    found = rejections(finished)
    assert {each.gate: each.n for each in found} == measured.rejected
    assert {each.gate: list(each.by_iteration) for each in found} == {
        "duplicate": [0, 1],
        "parse": [0, 1],
        "rouge": [1, 0],
        "validity": [1, 0],
    }
    assert found[1].reasons == [("no JSON object in it", 1)]


def test_losses_and_draws_are_shown_where_they_were_recorded(tmp_path: Path) -> None:
    """With them there are a curve, a table and a pass rate; without, the page says that none is."""
    finished, measured, further = read(tmp_path / "with", recorded=True)
    assert [curve and (curve.first, curve.last) for curve in further.curves] == [
        (4.0, 1.0),
        (5.0, 2.0),
        (6.0, 3.0),
    ]
    assert measured.points[2].passed == PassRate(n=4, n_draws=2, mean=0.375, any_right=0.75)
    metrics = as_metrics(measured)
    assert metrics["final"]["test_pass_rate"] == 0.375  # type: ignore[call-overload, index]
    assert metrics["control"]["test_any_right"] == 0.5  # type: ignore[call-overload, index]
    assert "pass rate, %" in render(finished, measured, further)
    finished, measured, further = read(tmp_path / "without")
    assert further.curves == [None, None, None]
    assert "losses" not in charts(measured, further.curves)
    html = render(finished, measured, further)
    assert "record no losses" in html
    assert "pass rate" not in html


@pytest.mark.parametrize("recorded", [True, False])
def test_history_vouches_for_draws(tmp_path: Path, recorded: bool) -> None:
    """The merge stage lists samples.parquet where answers were drawn, and only there."""
    make_run(tmp_path, recorded=recorded)
    history = tmp_path / "data/sets/1/history.json"
    expected = history.read_bytes()
    stage = str(Path(__file__).resolve().parents[1] / "stages/merge.py")
    subprocess.run([sys.executable, stage, "0"], cwd=tmp_path, check=True, capture_output=True)
    assert history.read_bytes() == expected
    assert (b"samples.parquet" in expected) == recorded


@pytest.mark.parametrize(
    "manifest",
    [
        {"losses": [{"update": 1}]},
        {"losses": [3]},
        {"losses": [{"update": 1, "loss": 1}], "early_stopping": {"dev_losses": [1]}},
    ],
)
def test_losses_that_cannot_be_read_are_refused(manifest: dict[str, Any]) -> None:
    """A manifest of another shape is named."""
    with pytest.raises(DataError, match=r"m\.json: `losses` or `dev_losses` cannot be read"):
        curve(manifest, Path("m.json"))


def test_draws_that_are_missing_are_refused() -> None:
    """Each row has as many draws as every other."""
    rows = [Sample("test", name, 0, "", None, "wrong", False, 1) for name in "ab"]
    assert pass_rate(rows) == PassRate(2, 1, 0.0, 0.0)
    with pytest.raises(CountError, match=r"found \[1, 2\] rows, by draw"):
        pass_rate([*rows, Sample("test", "a", 1, "", None, "right", False, 1)])
    assert pass_rate([]) is None


@pytest.mark.parametrize(
    "how", [{"n_iterations": 0}, {"n_iterations": 0, "control": False}, {"asked": False}]
)
def test_a_run_without_augmentation_has_a_page(tmp_path: Path, how: dict[str, object]) -> None:
    """No iterations, or nothing asked, still gives page, charts and metrics."""
    finished, measured, further = read(tmp_path, **how)
    html = render(finished, measured, further)
    assert "Nothing was asked of a teacher." in html
    assert "Nothing was rejected." in html
    assert "No candidate was stopped by a gate against the test set." in html
    assert "No examples were added." in html


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    """Charts and page of two equal runs do not differ in a byte, and tell no date."""
    one, other = (read(tmp_path / name, recorded=True) for name in ("one", "other"))
    assert render(*one) == render(*other)
    drawn = charts(one[1], one[2].curves)
    assert list(drawn) == ["accuracy", "growth", "funnel", "closure", "losses"]
    for name, chart in charts(other[1], other[2].curves).items():
        assert chart.svg() == drawn[name].svg()
        assert "<dc:date>" not in chart.svg()
        png = chart.png()
        assert png == drawn[name].png()
        assert png.startswith(b"\x89PNG")
        assert b"tEXt" not in png


def test_charts_are_xml_with_a_title(tmp_path: Path) -> None:
    """Each SVG parses and says in words what it shows; in the page it has no style attribute."""
    _, measured, further = read(tmp_path, recorded=True)
    drawn = charts(measured, further.curves)
    for name, words in (
        ("accuracy", "75.0 % after 2 iterations. Control"),
        ("growth", "from 5 to 8 examples; the seeds answered wrong go from 3 to 2"),
        ("funnel", "3 kept. Stopped: 1 by duplicate, 1 by parse"),
        ("closure", "The last student fixed 2, left 1 wrong and broke 1"),
        ("losses", "student 2 goes from 6.00 to 3.00"),
    ):
        for svg in (drawn[name].svg(), drawn[name].inline()):
            root = ElementTree.fromstring(svg)  # noqa: S314  our own file
            title = root.find("{http://www.w3.org/2000/svg}title")
            assert title is not None
            assert words in (title.text or "")
        assert "style" not in drawn[name].inline()


def test_summary_is_a_short_table(tmp_path: Path) -> None:
    """One line for each student and the gain over the control, with its interval."""
    _, measured, _ = read(tmp_path)
    lines = summary(measured)
    assert len(lines) == 5
    assert lines[3].split() == ["2", "8", "60.0", "75.0", "-", "-"]
    assert "+25.0 points (95 % interval -32.0 to +65.5, 4 test items)" in lines[-1]


def test_summary_tells_of_a_run_without_errors(tmp_path: Path) -> None:
    """Where the first student got every seed right, it says why nothing was gained."""
    _, measured, _ = read(tmp_path)
    n = measured.points[0].seed.n
    right = dataclasses.replace(measured.points[0].seed, n_right=n, n_unparsable=0)
    idle = [dataclasses.replace(point, seed=right, n_examples=n) for point in measured.points]
    assert "nothing was asked of the teacher; fewer epochs" in "\n".join(
        summary(dataclasses.replace(measured, points=idle))
    )
    assert "fewer epochs" not in "\n".join(summary(measured))


def test_changed_control_predictions_are_refused(tmp_path: Path) -> None:
    """A control that answered fewer items than the student cannot be compared."""
    make_run(tmp_path)
    path = tmp_path / "data/control/predictions.parquet"
    write_records(path, Prediction, read_records(path, Prediction)[:-1])
    with pytest.raises(CountError, match="different test items"):
        measure(read_finished(tmp_path, 2))


def parted(root: Path, names: list[str], **how: object) -> tuple[dict[str, Any], str]:
    """Report a run as if its answers were classes of these names, each test item one of them."""
    finished, measured, further = read(root, **how)
    tests = {
        name: dataclasses.replace(row, answer=names[place % len(names)])
        for place, (name, row) in enumerate(further.tests.items())
    }
    answers = iter(names[1:] + names[:1])
    last = [
        dataclasses.replace(p, answer=next(answers, None)) if p.split == "test" else p
        for p in finished.predictions[-1]
    ]
    finished = dataclasses.replace(finished, predictions=[*finished.predictions[:-1], last])
    spec = AnswerFormat(kind="label", pattern=None, labels=names)
    parts = breakdowns(finished, tests, spec)
    html = page(finished, measured, further, {}, params(), parts)
    return as_metrics(measured, parts), html


def test_classes_have_scores_and_a_confusion_matrix(tmp_path: Path) -> None:
    """metrics.json lists them, and the page shows a table of each, escaped."""
    metrics, html = parted(tmp_path / "run", [HOSTILE, "tame"])
    assert [each["class"] for each in metrics["classes"]] == [HOSTILE, "tame"]
    assert sum(each["n"] for each in metrics["confusion"]) == len(TEST_INPUTS)
    assert "test_macro_f1" in metrics["final"]
    found = Elements(html)
    assert [tag for tag, _ in found.tags].count("img") == 0
    assert "What was taken for what" in found.text
    assert ("section", {"aria-labelledby": "parts"}) in found.tags
    assert "unparsable" in found.text


def test_of_many_classes_the_most_confused_pairs_are_shown(tmp_path: Path) -> None:
    """A matrix of hundreds of columns would not be read."""
    cells = [Cell(f"c{k}", f"c{k + 1}", k) for k in range(300)]
    assert matrix(cells) is None
    assert [cell.n for cell in pairs(cells)] == list(range(299, 279, -1))
    small = matrix([Cell("a", "b", 2), Cell("b", None, 1)])
    assert (small.answers, small.rows) == (["a", "b", None], [("a", [0, 2, 0]), ("b", [0, 0, 1])])
    _, html = parted(tmp_path / "run", [f"c{k}" for k in range(300)])
    assert "There are more than" not in html  # four test items make four classes at most
    assert "All 300" in html


def test_fields_are_keys_that_dvc_compares(tmp_path: Path) -> None:
    """Of JSON answers the page and metrics.json tell precision, recall and F1 of each field."""
    finished, measured, further = read(tmp_path / "run")
    fields = [AnswerField(name="sum", type="number", required=True, compare="exact")]
    spec = AnswerFormat(kind="json", pattern=None, labels=None, fields=fields)
    tests = {
        name: dataclasses.replace(row, answer='{"sum": 1}') for name, row in further.tests.items()
    }
    parts = breakdowns(finished, tests, spec)
    metrics = as_metrics(measured, parts)
    assert metrics["fields"]["sum"]["recall"] == 0.0
    assert metrics["fields"]["sum"]["n"] == len(TEST_INPUTS)
    assert metrics["final"]["test_micro_f1"] == 0.0
    assert "By field" in page(finished, measured, further, {}, params(), parts)


def test_answers_without_parts_leave_metrics_and_page_as_they_were(tmp_path: Path) -> None:
    """A run of numbers has no section and no keys of this kind."""
    finished, measured, further = read(tmp_path / "run")
    number = AnswerFormat(kind="number", pattern=None, labels=None)
    assert breakdowns(finished, further.tests, number) is None
    assert as_metrics(measured, None) == as_metrics(measured)
    assert 'id="parts"' not in render(finished, measured, further)
