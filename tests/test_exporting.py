"""Exporting: the release bundle, and that no test text is in it."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from finished_run import TEST_INPUTS, Made, make_run

from llm2llm.exceptions import LeakageCheckError
from llm2llm.exporting import (
    ExportedRejection,
    TestTexts,
    chat_lines,
    exported_examples,
    exported_rejections,
)
from llm2llm.files import read_json, read_records, write_records
from llm2llm.ids import sha256_file
from llm2llm.records.examples import Example
from llm2llm.records.screened import Rejected
from llm2llm.records.split import SplitRow

STAGE = Path(__file__).resolve().parent.parent / "stages" / "export.py"


def export(root: Path, n_iterations: int = 2) -> subprocess.CompletedProcess[str]:
    """Run the stage in a project folder."""
    return subprocess.run(
        [sys.executable, str(STAGE), str(n_iterations)], cwd=root, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Make and export one run."""
    made = make_run(tmp_path_factory.mktemp("run"))
    done = export(made.root)
    assert done.returncode == 0, done.stderr
    return made


def test_the_set_is_handed_on_whole(made: Made) -> None:
    """Parquet and chat hold the final set, in its order, lineage included."""
    examples = read_records(made.root / "data/sets/2/examples.parquet", Example)
    folder = made.root / "data/export"
    assert read_records(folder / "dataset.parquet", Example) == examples
    lines = (folder / "chat.jsonl").read_text(encoding="utf-8").splitlines()
    chats = [json.loads(line) for line in lines]
    assert [chat["example_id"] for chat in chats] == [example.example_id for example in examples]
    assert [[m["content"] for m in chat["messages"]] for chat in chats] == [
        [example.input, example.target] for example in examples
    ]
    assert {tuple(m["role"] for m in chat["messages"]) for chat in chats} == {("user", "assistant")}


def test_no_file_of_the_bundle_holds_a_test_text(made: Made) -> None:
    """Neither the leak that a gate stopped nor the copy that was invalid first is in the bundle."""
    rejected = made.root / "data/iterations/0/screened/rejected.parquet"
    planted = [row.input for row in read_records(rejected, Rejected)]
    assert TEST_INPUTS[0] in planted
    rows = read_records(made.root / "data/export/rejected.parquet", ExportedRejection)
    texts = [text for row in rows for text in (row.input, row.target, row.reason) if text]
    for path in sorted((made.root / "data/export").iterdir()):
        if path.suffix != ".parquet":
            texts.append(path.read_text(encoding="utf-8"))
    for row in read_records(made.root / "data/export/dataset.parquet", Example):
        texts += [row.input, row.target, row.error or ""]
    assert len(texts) > 10
    for wanted in (*TEST_INPUTS, "wicks a night", "bends eleven barrels"):
        assert not [text for text in texts if wanted in text]


def test_rejections_keep_id_gate_and_score(made: Made) -> None:
    """Every rejection is handed on; text and reason only where no test item is near."""
    rows = read_records(made.root / "data/export/rejected.parquet", ExportedRejection)
    assert [(row.iteration, row.gate) for row in rows] == [
        (0, "rouge"),
        (0, "validity"),
        (1, "parse"),
        (1, "duplicate"),
    ]
    leak, copy, unparsable, duplicate = rows
    assert (leak.candidate_id, leak.reference_id, leak.score) == (
        made.rejected["leak"],
        made.tests[0],
        0.97,
    )
    assert (leak.input, leak.target, leak.reason) == (None, None, None)
    assert (copy.input, copy.candidate_id) == (None, made.rejected["copy"])
    assert (unparsable.candidate_id, unparsable.reason) == (None, None)
    assert duplicate.input == "New apples, again "


def test_the_manifest_accounts_for_every_file(made: Made) -> None:
    """Counts and hashes are those of the files, the set, its history and certificates."""
    folder = made.root / "data/export"
    manifest = read_json(folder / "manifest.json")
    assert manifest["counts"] == {
        "examples": 8,
        "seeds": 5,
        "augmented": 3,
        "rejected": 4,
        "rejected_without_text": 3,
    }
    others = {path.name for path in folder.iterdir()} - {"manifest.json"}
    assert others == set(manifest["files"]) == {"dataset.parquet", "chat.jsonl", "rejected.parquet"}
    assert all(sha256_file(folder / name) == value for name, value in manifest["files"].items())
    assert manifest["history_sha256"] == sha256_file(made.root / "data/sets/2/history.json")
    assert set(manifest["certificates"]) == {"0", "1"}


def test_equal_runs_export_equal_bytes(made: Made, tmp_path: Path) -> None:
    """The bundle of an equal run in another folder does not differ in a byte."""
    other = make_run(tmp_path)
    assert export(tmp_path).returncode == 0
    for path in sorted((made.root / "data/export").iterdir()):
        assert path.read_bytes() == (other.root / "data/export" / path.name).read_bytes()


@pytest.mark.parametrize("name", ["screened/rejected.parquet", "screened/certificate.json"])
def test_a_changed_file_stops_the_export(tmp_path: Path, name: str) -> None:
    """Nothing is exported from a run whose earlier files changed since they were merged."""
    make_run(tmp_path)
    path = tmp_path / "data/iterations/0" / name
    path.write_bytes(path.read_bytes() + b" ")
    done = export(tmp_path)
    assert done.returncode == 3
    assert f"{name}: SHA-256" in done.stderr
    assert not (tmp_path / "data/export").exists()


def test_a_run_without_iterations_exports_its_seeds(tmp_path: Path) -> None:
    """Set 0 alone is a bundle too, with an empty list of rejections."""
    make_run(tmp_path, n_iterations=0)
    assert export(tmp_path, 0).returncode == 0
    manifest = read_json(tmp_path / "data/export/manifest.json")
    assert (manifest["counts"]["seeds"], manifest["counts"]["rejected"]) == (5, 0)


def test_formats_are_those_asked_for(tmp_path: Path) -> None:
    """Only the forms that params.yaml names are written."""
    make_run(tmp_path)
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("[parquet, chat]", "[chat]"))
    assert export(tmp_path).returncode == 0
    names = {path.name for path in (tmp_path / "data/export").iterdir()}
    assert names == {"chat.jsonl", "rejected.parquet", "manifest.json"}
    params.write_text(params.read_text().replace("[chat]", "[chat, chat]"))
    done = export(tmp_path)
    assert done.returncode == 2
    assert "each format is named once" in done.stderr


def items() -> list[SplitRow]:
    """Make a small test set."""
    return [SplitRow(f"t{n}", text, f"#### {n}", str(n), n) for n, text in enumerate(TEST_INPUTS)]


def seed(name: str, text: str) -> Example:
    """Make a seed with this input."""
    return Example(name, "seed", name, text, "#### 1", *([None] * 7))


def test_a_seed_that_is_a_test_item_is_left_out_and_listed() -> None:
    """Case, spaces and punctuation do not hide that a seed is a test item."""
    hidden = seed("s1", TEST_INPUTS[2].upper().replace(",", " ;"))
    kept, left_out = exported_examples(
        [seed("s0", "Harmless words"), hidden], TestTexts(items(), 0.7)
    )
    assert [example.example_id for example in kept] == ["s0"]
    assert [(row.example_id, row.test_id) for row in left_out] == [("s1", "t2")]


def test_an_augmented_test_item_stops_everything() -> None:
    """If screening let a test item through, nothing is exported."""
    leaked = replace(seed("a1", TEST_INPUTS[2]), origin="augmented", gate_version="v1")
    with pytest.raises(LeakageCheckError, match="that of test item t2"):
        exported_examples([leaked], TestTexts(items(), 0.7))


@pytest.mark.parametrize(
    ("text", "target", "reason", "leaves"),
    [
        ("A baker sells six loaves an hour; how many in a day?", "#### 144", "144 is not 6", True),
        (TEST_INPUTS[3].replace("bellfounder", "potter"), "#### 1", "wrong", False),
        ("Read this: " + TEST_INPUTS[3] * 1 + " And then " + "more " * 60, "#### 1", "x", False),
        ("A baker sells loaves", TEST_INPUTS[1], "wrong", False),
        ("A baker sells loaves", "#### 1", f"found {TEST_INPUTS[1]!r}", False),
    ],
)
def test_only_texts_far_from_every_test_item_leave(
    text: str, target: str, reason: str, leaves: bool
) -> None:
    """Rewritten, embedded and quoted test items are withheld wherever they stand."""
    row = Rejected("rq", "s", 0, text, target, "validity", reason, None, None, "v1")
    exported = exported_rejections(0, [row], TestTexts(items(), 0.7))[0]
    assert (exported.input is not None) == leaves
    assert (exported.reason is not None) == leaves


def test_what_a_gate_against_the_test_set_stopped_never_keeps_its_text() -> None:
    """A reference in the test set is enough, however far the wording is from it."""
    row = Rejected("rq", "s", 0, "Other words", "#### 1", "masked", "r", "s9", 0.9, "v1")
    texts = TestTexts(items(), 0.7)
    assert texts.may_leave([row, replace(row, reference_id="t1")]) == [True, False]


def test_a_shared_label_is_no_test_text() -> None:
    """A long label that many test items carry does not cost a rejection its text."""
    label = "abbreviation-or-its-expansion"
    test = [replace(row, target=label) for row in items()]
    row = Rejected("rq", "s", 0, "What is UN?", label, "validity", "odd", None, None, "v1")
    assert TestTexts(test, 0.7).may_leave([row]) == [True]
    test[0] = replace(test[0], target=label + " of one item only")
    row = replace(row, target=test[0].target)
    assert TestTexts(test, 0.7).may_leave([row]) == [False]


def test_chat_lines_hold_any_text() -> None:
    """Newlines and quotes inside texts do not break the lines."""
    lines = chat_lines([seed("s0", 'a\n"b"\u2028c')]).split("\n")
    assert len(lines) == 2
    assert json.loads(lines[0])["messages"][0]["content"] == 'a\n"b"\u2028c'


def test_an_empty_rejection_file_is_readable(tmp_path: Path) -> None:
    """The schema of rejections stands without rows."""
    path = tmp_path / "rejected.parquet"
    write_records(path, ExportedRejection, [])
    assert read_records(path, ExportedRejection) == []


def test_the_docs_name_every_output(made: Made) -> None:
    """Each file of report and bundle, and each column of the plots file, stands in the docs."""
    report = subprocess.run(
        [sys.executable, str(STAGE.with_name("report.py")), "2"], cwd=made.root, check=False
    )
    assert report.returncode == 0
    docs = (STAGE.parent.parent / "docs" / "outputs.md").read_text(encoding="utf-8")
    files = [*(made.root / "data/report").iterdir(), *(made.root / "data/export").iterdir()]
    columns = (made.root / "data/report/plots.csv").read_text().splitlines()[0].split(",")
    parts = read_json(made.root / "data/report/metrics.json")
    names = [*(path.name for path in files), *columns, *parts]
    assert len(names) > 20
    assert [name for name in names if f"`{name}`" not in docs] == []
