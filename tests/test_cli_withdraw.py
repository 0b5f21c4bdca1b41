"""`llm2llm withdraw`: what would go, and how it is written into params.yaml."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from finished_run import Made, make_run
from typer.testing import CliRunner

from llm2llm.bundle.records import ExportedDecision
from llm2llm.cli.main import app
from llm2llm.exceptions import DataError, Llm2llmError, ParamsError
from llm2llm.files import read_records, write_json, write_records
from llm2llm.lineage.naming import resolve
from llm2llm.lineage.progress import status, undone_from
from llm2llm.lineage.withdrawal import withdrawal
from llm2llm.params.editing import with_entries
from llm2llm.params.exclude import Exclusion
from llm2llm.records.decisions import DECISIONS, Decision
from llm2llm.records.examples import Example
from llm2llm.reviewing.decisions import decisions_text, edited_id

ENTRY = Exclusion(seed="ex-1", reason='said "no": # 1')


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Make a run and stand in its folder."""
    made = make_run(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return made


def run(*arguments: str) -> str:
    """Call the command; its standard output where it succeeds."""
    result = CliRunner().invoke(app, ["withdraw", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_a_seed_goes_with_all_its_descendants(made: Made) -> None:
    """Every set and student is touched; what stays is counted by iteration, seed and set."""
    found = withdrawal(made.root, resolve(made.root, [("seed", made.seeds[1][:10], None)]))
    assert [each.example_id for each in found.examples] == [made.seeds[1], made.kept["second"]]
    assert (found.n_gone, found.n_seeds_gone, found.n_left, found.first_set) == (2, 1, 6, 0)
    assert [(loss.of, loss.n_gone, loss.n_left) for loss in found.iterations] == [(0, 1, 1)]
    assert [(loss.of, loss.n_gone, loss.n_left) for loss in found.seeds] == [(made.seeds[1], 2, 0)]
    assert [(loss.of, loss.n_gone, loss.n_left) for loss in found.sets] == [
        (0, 1, 4),
        (1, 2, 5),
        (2, 2, 6),
    ]
    assert [each.iteration for each in found.students] == [0, 1, 2, None]


def test_a_test_item_takes_its_nearest_examples_with_their_scores(made: Made) -> None:
    """Only examples to which it is nearest go, and of them those from the bound on."""
    for above, gone in ((None, [0.31]), (0.3, [0.31]), (0.32, [])):
        entries = resolve(made.root, [("test_item", made.tests[2], above)])
        found = withdrawal(made.root, entries)
        assert [each.score for each in found.examples] == gone
    assert found.first_set is None
    assert found.students == []


def test_prompts_and_teachers_take_all_that_they_wrote(made: Made) -> None:
    """The first set that changes is the one after the first iteration that they wrote in."""
    for kind, name in (("prompt", "abab"), ("teacher", "teacher")):
        found = withdrawal(made.root, resolve(made.root, [(kind, name, None)]))
        assert (found.n_gone, found.first_set) == (3, 1)
        assert [each.iteration for each in found.students] == [1, 2]


def test_what_is_named_twice_goes_once(made: Made) -> None:
    """An example that two entries withdraw counts for both, and goes because of the first."""
    names = [("example", made.kept["second"], None), ("seed", made.seeds[1], None)]
    found = withdrawal(made.root, resolve(made.root, names))
    assert [each.n_examples for each in found.wanted] == [1, 2]
    assert found.n_gone == 2
    assert found.examples[1].because == f"example {made.kept['second']}"


def test_the_bundle_that_holds_it_is_named(made: Made) -> None:
    """The exported bundle is told with its manifest's hash, if it holds any of it."""
    folder = made.root / "data/export"
    folder.mkdir()
    shutil.copy(made.root / "data/sets/1/examples.parquet", folder / "dataset.parquet")
    write_json(folder / "manifest.json", {"name": "n", "version": "1.0.0", "set": 1})
    found = withdrawal(made.root, resolve(made.root, [("example", made.kept["first"], None)]))
    assert [(b.path, b.archive, b.n_examples) for b in found.bundles] == [("data/export", None, 1)]
    found = withdrawal(made.root, resolve(made.root, [("example", made.kept["third"], None)]))
    assert found.bundles == []


def edit_first(made: Made) -> str:
    """Have a person edit the first kept example; the id of the edit."""
    decision = Decision(made.kept["first"], "edit", "Newer apples", "#### 3", None, None)
    path = made.root / DECISIONS
    path.parent.mkdir(exist_ok=True)
    path.write_text(decisions_text([decision]))
    name = edited_id(decision)
    assert name is not None
    return name


def test_the_id_of_an_edit_withdraws_the_example_that_it_was(made: Made) -> None:
    """As `explain` does; what was edited or rejected in a review counts as in the bundle."""
    edited = edit_first(made)
    entries = resolve(made.root, [("example", edited, None)])
    assert [entry.example for entry in entries] == [made.kept["first"]]
    folder = made.root / "data/export"
    held = read_records(made.root / "data/sets/1/examples.parquet", Example)
    changed = [
        replace(each, example_id=edited, origin="edited", input="Newer apples")
        if each.example_id == made.kept["first"]
        else each
        for each in held
    ]
    write_records(folder / "dataset.parquet", Example, changed)
    row = ExportedDecision(
        made.kept["first"], 0, made.seeds[0], "rq-1", "edit", edited, *([None] * 6)
    )
    write_records(folder / "lineage/review.parquet", ExportedDecision, [row])
    write_json(folder / "manifest.json", {"name": "n", "version": "1.0.0", "set": 1})
    assert [bundle.n_examples for bundle in withdrawal(made.root, entries).bundles] == [1]


def test_ids_are_found_whatever_their_case_and_spaces_and_listed_once(made: Made) -> None:
    """What is pasted from elsewhere names the same; twice the same is once."""
    seed, example = made.seeds[1], made.kept["third"]
    named = [("seed", seed), ("seed", f" {seed.upper()} "), ("example", f"{example.upper()}\n")]
    named += [("test_item", f" {made.tests[0].upper()}"), ("prompt", "ABAB ")]
    entries = resolve(made.root, [(*each, None) for each in named])
    assert [each.id for each in entries] == [seed, example, made.tests[0], "ab" * 32]


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("seed", "ex-", "5 ids start so"),
        ("seed", "nothing", "no seed has this id; there are 5"),
        ("example", "ex-", "8 ids start so"),
        ("prompt", "cd", "no example is of such a prompt; there are 1, such as abab"),
        ("teacher", "gpt", "no example is of such a teacher; nearest: teacher-1|there are 1"),
        ("test_item", "ex-", "4 ids start so"),
        ("test_item", "zz", "no test item has this id"),
    ],
)
def test_a_name_that_means_nothing_or_much_is_told(
    made: Made, kind: str, name: str, message: str
) -> None:
    """Unknown and ambiguous starts come with what is near."""
    with pytest.raises(DataError, match=message):
        resolve(made.root, [(kind, name, None)])


def test_seeds_and_rejected_candidates_are_no_examples_to_withdraw(made: Made) -> None:
    """Each is told what it is."""
    with pytest.raises(DataError, match=f"`--seed {made.seeds[0]}`"):
        resolve(made.root, [("example", made.seeds[0], None)])
    with pytest.raises(DataError, match="a rejected candidate, in no set"):
        resolve(made.root, [("example", made.rejected["leak"], None)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing is named"),
        (["--seed", "{seed}", "--above", "0.5"], "--above: bounds the scores of --test-item"),
        (["--seed", "{seed}", "--apply", "--rerun", "--reason", "x"], "expected one"),
        (["--seed", "{seed}", "--apply"], "--reason: missing"),
        (["--seed", "{seed}", "--rerun", "--reason", "x", "--json"], "in a script add --yes"),
        (["--test-item", "{test}", "--apply", "--reason", "x"], "nothing of the newest set"),
    ],
)
def test_what_cannot_be_asked_is_told(made: Made, arguments: list[str], message: str) -> None:
    """Params stay as they are."""
    before = (made.root / "params.yaml").read_text()
    filled = [a.format(seed=made.seeds[0], test=made.tests[0]) for a in arguments]
    with pytest.raises(Llm2llmError, match=message):
        CliRunner().invoke(app, ["withdraw", *filled], catch_exceptions=False)
    assert (made.root / "params.yaml").read_text() == before


def test_apply_writes_whole_ids_once(made: Made) -> None:
    """The start of an id is written in full, and the same entry never twice."""
    arguments = ["--seed", made.seeds[1][:9], "--reason", "its author asked", "--apply"]
    assert "1 added" in run(*arguments)
    assert "0 added" in run(*arguments)
    found = yaml.safe_load((made.root / "params.yaml").read_text())["export"]["exclude"]
    assert found == [{"seed": made.seeds[1], "reason": "its author asked"}]


def test_looking_changes_nothing(made: Made) -> None:
    """Without --apply or --rerun params stay as they are; JSON has the same facts."""
    before = (made.root / "params.yaml").read_text()
    text = run("--seed", made.seeds[1])
    assert text.startswith("2 of 8 examples would go, 1 of them seeds; 6 stay")
    assert "students 0 to 2, and the control" in text
    found = json.loads(run("--seed", made.seeds[1], "--json"))
    assert (found["n_gone"], found["written_to"], found["next_command"]) == (2, None, None)
    assert (made.root / "params.yaml").read_text() == before


def test_rerun_quotes_and_writes_into_the_sets(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """What changes the last set alone asks nothing again; a seed is quoted from the start on."""
    monkeypatch.setattr("llm2llm.cli.withdraw._quote", lambda _found: None)
    out = run("--example", made.kept["third"], "--reason", "x", "--rerun", "--yes", "--json")
    assert json.loads(out)["written_to"] == "sets.exclude"
    params = yaml.safe_load((made.root / "params.yaml").read_text())
    assert params["sets"]["exclude"] == [{"example": made.kept["third"], "reason": "x"}]
    assert params["export"]["exclude"] == []


def test_what_is_to_be_made_again_is_stale(made: Made) -> None:
    """From the first set that changes on nothing counts as done; what came before does."""
    before = status(made.root, made.root)
    found = undone_from(before, 1)
    states = [[step.state for step in each.steps] for each in found.iterations]
    assert states == [["done"] * 4 + ["stale"] * 2, ["stale"] * 6, ["stale"] * 2]
    assert undone_from(before, 0).before[-1].state == "stale"
    assert found.iterations[1].n_seeds_right == before.iterations[1].n_seeds_right


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "# top\nexport:\n  a: 1  # one\n  exclude: []  # why\n  b: 2\n",
            "# top\nexport:\n  a: 1  # one\n  exclude:  # why\n    - {ENTRY}\n  b: 2\n",
        ),
        (
            "export:\n  exclude:\n  # one\n  - {seed: x, reason: y} # two\n\n  b: 2\n",
            "export:\n  exclude:\n  # one\n  - {seed: x, reason: y} # two\n  - {ENTRY}\n\n  b: 2\n",
        ),
        (
            "export:\n   exclude:\n     - seed: x\n       reason: y\nother: 1\n",
            "export:\n   exclude:\n     - seed: x\n       reason: y\n     - {ENTRY}\nother: 1\n",
        ),
        (
            "export:\n  exclude: [{seed: x, reason: y}]\n",
            'export:\n  exclude:\n    - {"seed": "x", "reason": "y"}\n    - {ENTRY}\n',
        ),
    ],
)
def test_an_entry_is_added_and_all_else_stays(text: str, wanted: str) -> None:
    """Comments, order and indentation of params.yaml are left as they are."""
    line = '{seed: "ex-1", reason: "said \\"no\\": # 1"}'
    assert with_entries(text, "export", [ENTRY]) == wanted.replace("{ENTRY}", line)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("export:\n  a: 1\n", "`export.exclude`: missing"),
        ("other: 1\n", "`export.exclude`: missing"),
        ("export:\n  exclude: [\n    {seed: x, reason: y}]\n", "add by hand"),
        ("export: {exclude: []}\n", "`export.exclude`: missing"),
    ],
)
def test_a_list_that_cannot_be_added_to_is_told(text: str, message: str) -> None:
    """Nothing is guessed: the message says what to write."""
    with pytest.raises(ParamsError, match=message):
        with_entries(text, "export", [ENTRY])


def test_the_default_params_can_be_added_to() -> None:
    """Both lists of the quick start take entries."""
    text = (Path(__file__).resolve().parent.parent / "params.yaml").read_text()
    for section in ("sets", "export"):
        changed = with_entries(text, section, [ENTRY])
        assert yaml.safe_load(changed)[section]["exclude"] == [
            {"seed": "ex-1", "reason": 'said "no": # 1'}
        ]
        assert [line for line in changed.splitlines() if "#" in line][:5] == [
            line for line in text.splitlines() if "#" in line
        ][:5]
