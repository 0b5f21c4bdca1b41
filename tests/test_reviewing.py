"""`llm2llm review`: the riskiest first, and decisions that come back whole or not at all."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from finished_run import TEST_INPUTS, Made, make_run
from reviewing_run import fill_in, make_reviewed_run, review

from llm2llm.exceptions import DataError, LeakageCheckError, ParamsError
from llm2llm.files import read_json, read_records, write_records
from llm2llm.ids import example_id
from llm2llm.lineage.explaining import explain
from llm2llm.lineage.run import open_run
from llm2llm.records.decisions import DECISIONS
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.split import SplitRow
from llm2llm.reviewing.decisions import decisions_text, edited_id, read_decisions
from llm2llm.reviewing.edits import reviewed
from llm2llm.reviewing.risk import risks
from llm2llm.reviewing.sheet import read_sheet
from llm2llm.starting.pipeline import pipeline_files
from llm2llm.starting.project import FIXED
from llm2llm.starting.upgrading import changes
from llm2llm.tasks.sections import AnswerFormat

NUMBER = AnswerFormat(kind="number", pattern=r"#### (.+)", labels=None)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make a run, to be copied."""
    return make_reviewed_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def made(template: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Copy the run, and stand in its folder."""
    shutil.copytree(template.root, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return replace(template, root=tmp_path)


def vote(made: Made, iteration: int, *answers: tuple[int, str | None]) -> None:
    """Add solutions, by the seed whose problem they solve."""
    path = made.root / f"data/iterations/{iteration}/responses.parquet"
    found = read_records(path, Response)
    for k, text in answers:
        about = made.requests[f"{iteration}/{k}"]
        solved = next(row for row in found if row.request_id == about)
        found.append(
            replace(solved, request_id=f"rq-{len(found)}", purpose="solve", about=about, text=text)
        )
    write_records(path, Response, found)


def ranked(made: Made) -> list[str]:
    """Name the examples in the order of their risk."""
    names = {name: label for label, name in made.kept.items()}
    return [names[r.example.example_id] for r in risks(open_run(made.root), NUMBER)]


def test_the_riskiest_come_first(made: Made) -> None:
    """Nearer to test comes first; a vote that disagrees comes before all of it."""
    assert ranked(made) == ["second", "first", "third"]
    vote(made, 1, (2, "#### 3"), (2, "#### 4"), (2, None))
    vote(made, 0, (0, "#### 3"), (0, "#### 3.0"))
    assert ranked(made) == ["third", "second", "first"]
    found = {risk.example.example_id: risk for risk in risks(open_run(made.root), NUMBER)}
    assert (found[made.kept["third"]].n_votes, found[made.kept["third"]].n_agreeing) == (3, 1)
    assert found[made.kept["first"]].n_agreeing == 2
    assert found[made.kept["third"]].told.startswith("1 of 3 votes agree; ")


def test_of_equals_the_longest_and_the_first_of_a_seed_come_first(made: Made) -> None:
    """Length counts in quarters; within one the first example of a seed is before later ones."""
    path = made.root / "data/sets/2/examples.parquet"
    seeds = [row for row in read_records(path, Example) if row.origin == "seed"]
    like = next(row for row in read_records(path, Example) if row.origin == "augmented")
    made_up = [
        replace(like, example_id=name, seed_id=seeds[seed].seed_id, input="x" * length)
        for name, seed, length in (("a", 0, 50), ("b", 0, 53), ("c", 1, 51), ("d", 1, 900))
    ]
    write_records(path, Example, [*seeds, *made_up])
    found = risks(open_run(made.root), NUMBER)
    assert [risk.example.example_id for risk in found] == ["d", "b", "c", "a"]
    assert [risk.quarter for risk in found] == [3, 2, 1, 0]
    assert [risk.first_of_seed for risk in found] == [False, False, True, True]
    more = replace(made_up[0], example_id="e")
    write_records(path, Example, [*seeds, made_up[0], more])
    assert [r.example.example_id for r in risks(open_run(made.root), NUMBER)] == ["a", "e"]


def test_a_sample_is_the_start_of_the_whole(made: Made) -> None:
    """A number, a share and an iteration give the riskiest of the same order, every time."""
    taken = {}
    for name, options in {
        "all": [],
        "again": [],
        "n": ["--n", "2"],
        "share": ["--sample", "0.34"],
        "of": ["--iteration", "1"],
    }.items():
        assert review("export", *options, "--out", f"{name}.csv").exit_code == 0
        taken[name] = [cells["example_id"] for _, cells in read_sheet(Path(f"{name}.csv")).rows]
    assert Path("all.csv").read_bytes() == Path("again.csv").read_bytes()
    assert len(taken["all"]) == 3
    assert taken["n"] == taken["share"] == taken["all"][:2]
    assert taken["of"] == [made.kept["third"]]


def test_the_sheet_shows_example_seed_and_reasons(made: Made) -> None:
    """Each row holds what a reviewer needs, and the four columns to fill in are empty."""
    done = review("export", "--out", "s.csv", "--json")
    assert json.loads(done.stdout)["n_written"] == 3
    row = read_sheet(Path("s.csv")).rows[0][1]
    assert row["seed_input"].startswith("Seed 1: what is 1 plus 1?")
    assert (row["input"], row["target"], row["rank"]) == ("New pears ", "#### 3", "1")
    assert row["why"].startswith("ROUGE-L 0.44 with the nearest test item")
    assert {row[name] for name in ("decision", "note", "edited_input", "edited_target")} == {""}


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_decisions_come_back_and_are_given_again(made: Made, form: str) -> None:
    """What was decided is kept by id, is left out of the next sheet, and stands in `--decided`."""
    rows = (
        {"example_id": made.kept["first"], "decision": "Reject ", "note": '=no; "bad"\nnews'},
        {"example_id": made.kept["second"], "decision": "edit", "edited_input": "Other pears"},
        {"example_id": made.kept["third"], "decision": ""},
    )
    done = review("import", str(fill_in(made, *rows)), "--reviewer", "Ada", "--json")
    told = json.loads(done.stdout)
    assert [told[f"n_{k}"] for k in ("accept", "edit", "reject", "undecided", "added")] == [
        *(0, 1, 1, 1, 2)
    ]
    found = read_decisions(DECISIONS)
    first, second = found[made.kept["first"]], found[made.kept["second"]]
    assert (first.decision, first.note, first.reviewer) == ("reject", rows[0]["note"], "Ada")
    assert (second.input, second.target) == ("Other pears", "#### 3")
    assert review("export", "--out", f"rest.{form}").exit_code == 0
    left = read_sheet(Path(f"rest.{form}")).rows
    assert [cells["example_id"] for _, cells in left] == [made.kept["third"]]
    before = DECISIONS.read_bytes()
    assert review("export", "--decided", "--out", f"all.{form}").exit_code == 0
    done = review("import", f"all.{form}", "--reviewer", "Bob", "--json")
    assert json.loads(done.stdout)["n_same"] == 2
    assert DECISIONS.read_bytes() == before
    row = {"example_id": made.kept["first"], "decision": "accept"}
    done = review("import", str(fill_in(made, row)), "--reviewer", "Bob")
    assert "0 added, 1 changed, 0 as before; 2 in all" in done.stdout
    assert read_decisions(DECISIONS)[made.kept["first"]].reviewer == "Bob"


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        ({"example_id": "ex-0", "decision": "accept"}, "example_id", "found 'ex-0', no example of"),
        ({"example_id": "", "decision": "accept"}, "example_id", "empty, expected the id"),
        ({"example_id": "SEED", "decision": "reject"}, "example_id", "is a seed"),
        ({"decision": "yes"}, "decision", "found 'yes', expected one of accept, edit, reject"),
        ({"decision": "edit"}, "edited_input", "both edited columns are empty"),
        ({"decision": "edit", "edited_target": "#### 3"}, "decision", "write accept"),
        ({"decision": "accept", "edited_input": "x"}, "edited_input", "the decision is accept"),
        ({"decision": "reject", "edited_target": "x"}, "edited_target", "the decision is reject"),
        ({"decision": "", "note": "hm"}, "note", "column decision is empty"),
        ({"decision": "reject", "note": TEST_INPUTS[0]}, "note", "quotes test item"),
        ({"decision": "edit", "edited_target": "seven"}, "edited_target", "number"),
        ({"decision": "edit", "edited_input": "x" * 9999}, "edited_input", "characters"),
        ({"decision": "edit", "edited_input": "\u200b"}, "edited_input", "no visible text"),
        ({"decision": "edit", "edited_input": TEST_INPUTS[0]}, "edited_input", "gate exact"),
        (
            {"decision": "edit", "edited_input": TEST_INPUTS[0].replace("eleven", "nine")},
            "edited_input",
            "gate ",
        ),
        (
            {"decision": "edit", "edited_input": "New plums "},
            "edited_input",
            "of the set already, ex-",
        ),
        ({"decision": "edit", "edited_input": "New plums!"}, "edited_input", "nearly repeats an"),
        ({"decision": "edit", "edited_input": "Seed 3: what is 3 plus 3?"}, "edited_input", "repe"),
    ],
)
def test_a_row_that_does_not_hold_imports_nothing(
    made: Made, row: dict[str, str], column: str, says: str
) -> None:
    """The message names row and column, and what the other rows decide is not taken either."""
    good = {"example_id": made.kept["third"], "decision": "accept"}
    row = {"example_id": made.kept["first"], **row}
    if row["example_id"] == "SEED":
        row["example_id"] = made.seeds[0]
    done = review("import", str(fill_in(made, good, row)))
    assert isinstance(done.exception, DataError)
    assert f"filled.csv: row 3, column {column}: " in str(done.exception)
    assert says in str(done.exception)
    assert "nothing was imported" in str(done.exception)
    assert not DECISIONS.exists()


def test_a_doubled_id_and_all_other_problems_are_told_at_once(made: Made) -> None:
    """Every row that does not hold is named, not only the first."""
    twice = {"example_id": made.kept["first"], "decision": "accept"}
    wrong = {"example_id": made.kept["second"], "decision": "no"}
    done = review("import", str(fill_in(made, twice, twice, wrong)))
    lines = str(done.exception).splitlines()
    assert "row 3, column example_id" in lines[0]
    assert "as in row 2" in lines[0]
    assert "row 4, column decision" in lines[1]


def test_edits_are_compared_with_each_other(made: Made) -> None:
    """Two edits to one text, or to a rejected example's, are refused; near ones too."""
    text = "Two dozen quinces lie on the long table in the hall of the manor house today"
    near = text.replace("today", "tonight").replace("manor", "mayor")
    for second, says in ((text, "is an example already"), (f"{text}!", "nearly repeats")):
        rows = [
            {"example_id": made.kept["first"], "decision": "edit", "edited_input": text},
            {"example_id": made.kept["second"], "decision": "edit", "edited_input": second},
        ]
        done = review("import", str(fill_in(made, *rows)))
        assert f"row 3, column edited_input: {says}" in str(done.exception)
    rows[1]["edited_input"] = near
    assert review("import", str(fill_in(made, *rows))).exit_code == 0
    again = {"example_id": made.kept["third"], "decision": "edit", "edited_input": "New apples "}
    done = review("import", str(fill_in(made, again)))
    assert f"is an example of the set already, {made.kept['first']}" in str(done.exception)


def test_the_seed_of_an_edit_may_not_be_it(made: Made) -> None:
    """An edit that makes the example its seed again fails validity, as a teacher's would."""
    seed = read_records(made.root / "data/split/seed.parquet", SplitRow)[0]
    row = {"example_id": made.kept["first"], "decision": "edit", "edited_input": seed.input}
    done = review("import", str(fill_in(made, row)))
    assert "edited_input: the input is its seed's, word for word" in str(done.exception)


def test_wrong_calls_are_told(made: Made) -> None:
    """Two sizes, a file that is there, another ending, and nothing left to review."""
    Path("there.csv").write_text("mine")
    for arguments, kind, says in (
        (["--n", "1", "--sample", "0.5", "--out", "a.csv"], ParamsError, "found both"),
        (["--out", "there.csv"], DataError, "exists already"),
        (["--out", "a.xlsx"], DataError, "expected .csv or .parquet"),
        (["--out", "a.csv", "--iteration", "7"], DataError, "nothing to review: 0 kept"),
    ):
        done = review("export", *arguments)
        assert isinstance(done.exception, kind)
        assert says in str(done.exception)
    assert Path("there.csv").read_text() == "mine"


def test_a_run_without_kept_examples_has_nothing_to_review(tmp_path: Path) -> None:
    """Seeds are not reviewed, so a set of seeds alone is told of."""
    make_run(tmp_path, asked=False)
    with pytest.raises(DataError, match="seeds alone"):
        risks(open_run(tmp_path), NUMBER)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("<<<<<<< HEAD", ":2: .*git checkout"),
        ('{"example_id": "ex-1"}', ":2: not a decision, expected an object with example_id"),
        ("LINE", ":2: a second decision about"),
        ("LINE:accept:maybe", "field decision: found 'maybe'"),
        ("LINE:null:3", "field input: found 3"),
        ('LINE:"input":null:"input":"x"', "expected both for an edit, else neither"),
    ],
)
def test_a_file_that_was_edited_by_hand_is_read_strictly(made: Made, line: str, says: str) -> None:
    """A merge conflict, a lost field or a second line about an example is told by line."""
    row = {"example_id": made.kept["first"], "decision": "accept"}
    assert review("import", str(fill_in(made, row))).exit_code == 0
    text = DECISIONS.read_text()
    if line.startswith("LINE"):
        change = line.removeprefix("LINE:")
        old, _, new = change.partition(":null:") if ":null:" in change else change.partition(":")
        if old.startswith('"input"'):
            old, new = '"input":null', '"input":"x"'
        line = text.strip() if line == "LINE" else text.strip().replace(old, new, 1)
    DECISIONS.write_text(f"{text}{line}\n")
    with pytest.raises(DataError, match=says):
        read_decisions(DECISIONS)


def test_the_file_survives_being_read_and_written(made: Made) -> None:
    """Texts with every kind of line end and mark are the same after a round."""
    text = "a\u2028b\r\n\x85c\u0000 “d”\ue000"
    row = {"example_id": made.kept["first"], "decision": "edit", "edited_input": text}
    assert review("import", str(fill_in(made, row))).exit_code == 0
    found = read_decisions(DECISIONS)
    assert found[made.kept["first"]].input == text
    assert decisions_text(found.values()) == DECISIONS.read_bytes().decode()
    assert read_decisions(Path("none.jsonl")) == {}
    assert decisions_text([]) == "\n"


def test_a_forged_edit_stops_the_export(made: Made) -> None:
    """Whoever writes a test item into the file by hand is told so, and nothing is exported."""
    row = {"example_id": made.kept["first"], "decision": "edit", "edited_input": "Fine new text"}
    assert review("import", str(fill_in(made, row))).exit_code == 0
    run = open_run(made.root)
    assert reviewed(run, 2).gate_version is not None
    DECISIONS.write_text(DECISIONS.read_text().replace("Fine new text", TEST_INPUTS[2]))
    with pytest.raises(LeakageCheckError, match=f"{made.kept['first']}: gate exact: is a test"):
        reviewed(run, 2)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_text_written_in_the_wrong_column_is_told(made: Made, form: str) -> None:
    """The sheet's own input changes nothing, so another text there is named by row and column."""
    assert review("export", "--out", f"s.{form}").exit_code == 0
    assert "another text than" not in review("import", f"s.{form}").stdout
    sheet = pl.read_csv("s.csv") if form == "csv" else pl.read_parquet("s.parquet")
    changed = sheet.with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(pl.lit("mine")).otherwise("input").alias("input")
    )
    changed.write_csv("t.csv") if form == "csv" else changed.write_parquet("t.parquet")
    row = 3 if form == "csv" else 2
    told = review("import", f"t.{form}")
    assert told.exit_code == 0
    assert f"row {row}, column input: another text than the example's, which changes" in told.stdout


def test_a_missing_reviewer_is_told(made: Made) -> None:
    """Decisions without a name are taken, and said to be without."""
    row = {"example_id": made.kept["first"], "decision": "accept"}
    told = review("import", str(fill_in(made, row))).stdout
    assert "some decisions name no reviewer; --reviewer NAME" in told
    told = review("import", str(fill_in(made, row)), "--reviewer", "Ada").stdout
    assert "name no reviewer" not in told


def test_explain_shows_the_decision(made: Made) -> None:
    """Of the example, and of what its edit made, by a start of either id."""
    rows = (
        {"example_id": made.kept["first"], "decision": "edit", "edited_input": "Fine new text"},
        {"example_id": made.kept["second"], "decision": "reject", "note": "wrong"},
    )
    assert review("import", str(fill_in(made, *rows)), "--reviewer", "Ada").exit_code == 0
    edited = example_id("Fine new text", "#### 3")
    for given in (edited, edited[:10], made.kept["first"]):
        found = explain(made.root, given)
        assert found.example_id == made.kept["first"]
        assert found.review is not None
        assert (found.review.edited_id, found.review.edit_exported) == (edited, False)
        assert edited_id(found.review.decision) == edited
    rejected = explain(made.root, made.kept["second"]).review
    assert rejected is not None
    assert (rejected.decision.note, rejected.decision.reviewer) == ("wrong", "Ada")
    assert explain(made.root, made.kept["third"]).review is None
    assert explain(made.root, made.seeds[0]).review is None
    assert read_json(made.root / "data/sets/2/history.json")  # untouched


def test_an_older_project_gets_a_file_without_decisions() -> None:
    """`upgrade` adds what the export stage depends on, and leaves the decisions that are there."""
    files = {**pipeline_files(), ".gitignore": FIXED[".gitignore"]}
    [change] = changes(files)
    assert (change.path, change.old, change.new) == (str(DECISIONS), None, "\n")
    assert changes({**files, str(DECISIONS): "{}\n"}) == []
