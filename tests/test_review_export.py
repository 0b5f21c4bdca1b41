"""What people decided is in the bundle, counts in its balance, and cannot be tampered with."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from finished_run import TEST_INPUTS, Made
from reviewing_run import export, make_reviewed_run, write
from test_verify import change_manifest, first, problems, rehash
from trace_bundle import trace

from llm2llm.bundle import layout
from llm2llm.bundle.verifying import verify
from llm2llm.exceptions import LeakageCheckError
from llm2llm.files import read_json, read_records, write_json, write_records, write_text
from llm2llm.ids import example_id
from llm2llm.records.decisions import DECISIONS, Decision
from llm2llm.records.examples import Example
from llm2llm.reviewing.decisions import decisions_text

TEXT = "Two dozen quinces lie on the long table in the hall"
EDITED = example_id(TEXT, "#### 3")


def decide(made: Made, **changes: Decision) -> None:
    """Edit the first, reject the second and accept the third, but for changes."""
    found = {
        "first": Decision(made.kept["first"], "edit", TEXT, "#### 3", "Ada", "clearer"),
        "second": Decision(made.kept["second"], "reject", None, None, None, "wrong sum"),
        "third": Decision(made.kept["third"], "accept", None, None, "Ada", None),
        **changes,
    }
    write_text(made.root / DECISIONS, decisions_text(found.values()))


def set_export(root: Path, **changes: Any) -> None:
    """Change section export of params.yaml."""
    path = root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    params["export"] |= changes
    path.write_text(yaml.safe_dump(params))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make, review and export one run."""
    made = make_reviewed_run(tmp_path_factory.mktemp("run"))
    decide(made)
    done = export(made.root)
    assert done.returncode == 0, done.stderr
    assert "review: edit: 1\n" in done.stderr
    return made


@pytest.fixture
def bundle(made: Made, tmp_path: Path) -> Path:
    """Give a copy of the bundle, to be changed."""
    return Path(shutil.copytree(made.root / "data/export", tmp_path / "bundle"))


def rows(bundle: Path, name: str) -> list[Any]:
    """Read a table of a bundle."""
    return read_records(bundle / name, layout.ALL_TABLES[name])


def forge(bundle: Path, name: str, change: Callable[[list[Any]], list[Any]]) -> None:
    """Change the rows of a table, its number in the manifest and all hashes."""
    changed = change(rows(bundle, name))
    write_records(bundle / name, layout.ALL_TABLES[name], changed)
    change_manifest(bundle, lambda manifest: manifest["files"][name].update(rows=len(changed)))
    rehash(bundle)


def test_decisions_take_effect_and_the_bundle_verifies(made: Made) -> None:
    """The edit stands in its example's place, the rejected one is gone, and all of it adds up."""
    bundle = made.root / "data/export"
    assert problems(bundle) == {}
    before = read_records(made.root / "data/sets/2/examples.parquet", Example)
    by_id = {row.example_id: row for row in rows(bundle, layout.DATASET)}
    expected = [row.example_id for row in before if row.example_id != made.kept["second"]]
    place = expected.index(made.kept["first"])
    expected[place] = EDITED
    assert list(by_id) == expected
    edited = by_id[EDITED]
    assert (edited.origin, edited.input, edited.target) == ("edited", TEXT, "#### 3")
    parent = next(row for row in before if row.example_id == made.kept["first"])
    assert (edited.seed_id, edited.request_id) == (parent.seed_id, parent.request_id)
    assert edited.gate_version.startswith("gates-")
    manifest = read_json(bundle / "manifest.json")
    assert manifest["review"] == {
        "accept": 1,
        "edit": 1,
        "reject": 1,
        "withdrawn": 0,
        "not_in_set": 0,
    }
    assert manifest["counts"]["edited"] == 1
    assert "1 accepted, 1 edited, 1 rejected" in (bundle / "README.md").read_text()


def test_an_edited_example_is_traced_back_too(made: Made) -> None:
    """The script for receivers goes from an edit to its parent, and finds no orphan."""
    assert trace(made.root / "data/export")[0] == []


def test_the_lineage_tells_who_decided_what_and_why(made: Made) -> None:
    """Each decision names its example, which for an edit is the parent, and keeps the old text."""
    by_id = {row.example_id: row for row in rows(made.root / "data/export", layout.REVIEW)}
    edit, reject, accept = (by_id[made.kept[name]] for name in ("first", "second", "third"))
    assert (edit.edited_id, edit.reviewer, edit.note) == (EDITED, "Ada", "clearer")
    assert (edit.input, edit.target) == ("New apples ", "#### 3")
    assert (reject.input, reject.note, reject.edited_id) == ("New pears ", "wrong sum", None)
    assert (accept.decision, accept.input, accept.withheld) == ("accept", None, None)


def test_without_decisions_there_is_no_trace_of_review(tmp_path: Path) -> None:
    """A file without decisions, and none at all, give the same manifest and no table of them."""
    make_reviewed_run(tmp_path)
    found = []
    for text in (None, "\n"):
        if text:
            write_text(tmp_path / DECISIONS, text)
        bundle = write(tmp_path)
        assert not (bundle / layout.REVIEW).exists()
        found.append((bundle / "manifest.json").read_bytes())
    assert found[0] == found[1]
    assert "review" not in read_json(bundle / "manifest.json")
    assert "edited" not in read_json(bundle / "manifest.json")["counts"]


def test_private_seeds_withhold_the_texts_of_before(tmp_path: Path) -> None:
    """In the augmented-only form what was edited or rejected keeps its id, not its text."""
    made = make_reviewed_run(tmp_path)
    decide(made)
    set_export(tmp_path, augmented_only=True)
    bundle = write(tmp_path)
    assert problems(bundle) == {}
    withheld = [row.withheld for row in rows(bundle, layout.REVIEW) if row.decision != "accept"]
    assert withheld == ["seed", "seed"]
    assert all(row.input is None for row in rows(bundle, layout.REVIEW))


def test_what_is_withdrawn_or_gone_is_counted_and_not_applied(tmp_path: Path) -> None:
    """A decision about a withdrawn example, or one that the set does not hold, changes nothing."""
    made = make_reviewed_run(tmp_path)
    stale = Decision("ex-0123456789abcdef", "edit", "Nobody's", "#### 1", None, None)
    decide(made, stale=stale)
    set_export(tmp_path, exclude=[{"example": made.kept["second"], "reason": "asked"}])
    bundle = write(tmp_path)
    assert problems(bundle) == {}
    assert read_json(bundle / "manifest.json")["review"] == {
        "accept": 1,
        "edit": 1,
        "reject": 0,
        "withdrawn": 1,
        "not_in_set": 1,
    }


def test_a_leak_that_a_person_finds_is_rejected_without_its_text(tmp_path: Path) -> None:
    """An example that holds a test item stops the export, unless a person rejected it."""
    made = make_reviewed_run(tmp_path)
    path = tmp_path / "data/sets/2/examples.parquet"
    leaked = example_id(TEST_INPUTS[1], "#### 3")
    for name, record in (("data/sets/2/examples.parquet", Example), *_kept_files()):
        path = tmp_path / name
        changed = [
            replace(row, example_id=leaked, input=TEST_INPUTS[1])
            if row.example_id == made.kept["second"]
            else row
            for row in read_records(path, record)
        ]
        write_records(path, record, changed)
    _mend_history(tmp_path)
    with pytest.raises(LeakageCheckError, match="is or holds test item"):
        write(tmp_path)
    decide(made, second=Decision(leaked, "reject", None, None, None, "a leak"))
    bundle = write(tmp_path)
    assert problems(bundle) == {}
    row = next(row for row in rows(bundle, layout.REVIEW) if row.decision == "reject")
    assert (row.example_id, row.input, row.withheld) == (leaked, None, "test")


def _kept_files() -> list[tuple[str, type]]:
    from llm2llm.records.screened import Kept

    return [("data/iterations/0/screened/kept.parquet", Kept)]


def _mend_history(root: Path) -> None:
    from llm2llm.ids import sha256_file

    path = root / "data/sets/2/history.json"
    history = read_json(path)
    for entry in history["iterations"]:
        for name in entry["files"]:
            entry["files"][name] = sha256_file(root / name)
    write_json(path, history)


def test_an_edit_that_does_not_hold_stops_the_stage(tmp_path: Path) -> None:
    """The stage checks edits again: what was written by hand is named, and no bundle is made."""
    made = make_reviewed_run(tmp_path)
    edit = Decision(made.kept["first"], "edit", TEST_INPUTS[0], "#### 3", None, None)
    decide(made, first=edit)
    done = export(tmp_path)
    assert done.returncode == 5
    assert f"{DECISIONS}: {made.kept['first']}: gate exact: is a test item" in done.stderr
    assert not (tmp_path / "data/export").exists()


def test_a_note_that_quotes_a_test_item_stops_the_stage(tmp_path: Path) -> None:
    """Notes are read back before release like every other text."""
    made = make_reviewed_run(tmp_path)
    note = f"like {TEST_INPUTS[0]}"
    decide(made, third=Decision(made.kept["third"], "accept", None, None, None, note))
    with pytest.raises(LeakageCheckError, match=r"review\.parquet, row 2, field note: test item"):
        write(tmp_path)


def _as_before(found: list[Any]) -> list[Any]:
    return [row for row in found if row.origin != "edited"]


@pytest.mark.parametrize(
    ("name", "change", "check", "says"),
    [
        (layout.REVIEW, lambda r: r[1:], "lineage", "the decision that edited it is not in"),
        (layout.REVIEW, lambda r: r[1:], "counts", "edit: says 1, the rows give 0"),
        (layout.REVIEW, lambda r: [r[0], r[2]], "lineage", "not in the dataset, and not listed"),
        (layout.REVIEW, lambda r: [*r, r[2]], "lineage", "stands there more than once"),
        (
            layout.REVIEW,
            first(lambda r: replace(r, decision="accept"), 1),
            "counts",
            "reject: says 1, the rows give 0",
        ),
        (layout.REVIEW, first(lambda r: replace(r, decision="fine")), "rows", "decision is 'fine'"),
        (
            layout.REVIEW,
            first(lambda r: replace(r, decision="reject"), 2),
            "lineage",
            "in the dataset as it was, and edited or rejected",
        ),
        (layout.REVIEW, first(lambda r: replace(r, input="x")), "rows", "not that of its id"),
        (layout.REVIEW, first(lambda r: replace(r, input=None)), "rows", "no text, and not said"),
        (layout.REVIEW, first(lambda r: replace(r, edited_id=None)), "rows", "what goes with it"),
        (layout.REVIEW, first(lambda r: replace(r, edited_id="ex-1")), "lineage", "that it made"),
        (layout.REVIEW, first(lambda r: replace(r, iteration=1)), "lineage", "what it is about"),
        (layout.DATASET, _as_before, "lineage", "the example that it made is not in the bundle"),
        (layout.DATASET, _as_before, "counts", "edited: says 1, the rows give 0"),
        (
            layout.DATASET,
            lambda r: [
                replace(row, origin="augmented") if row.origin == "edited" else row for row in r
            ],
            "lineage",
            "its screening is not in the bundle",
        ),
    ],
)
def test_tampering_with_decisions_is_named_though_every_hash_was_mended(
    bundle: Path, name: str, change: Callable[[list[Any]], list[Any]], check: str, says: str
) -> None:
    """Decisions, dataset and counts hold each other; none can change alone."""
    forge(bundle, name, change)
    assert says in problems(bundle)[check]


def test_counts_and_table_go_together(bundle: Path) -> None:
    """Neither the table nor its counts can be left out, and a changed byte is named."""
    change_manifest(bundle, lambda manifest: manifest.pop("review"))
    assert "review: counted without lineage/review.parquet" in problems(bundle)["files"]
    path = bundle / layout.REVIEW
    path.write_bytes(path.read_bytes() + b" ")
    assert "lineage/review.parquet: SHA-256 is" in problems(bundle)["files"]


def test_the_command_says_that_all_of_it_holds(made: Made) -> None:
    """A receiver's `verify` passes without the project, and names the number of examples."""
    code = "from llm2llm.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, "verify", str(made.root / "data/export")]
    done = subprocess.run(arguments, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "7 examples" in done.stdout
    assert verify(made.root / "data/export").passed
