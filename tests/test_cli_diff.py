"""`llm2llm diff`: sets, runs and bundles compared."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from finished_run import Made, make_run
from typer.testing import CliRunner

from llm2llm.cli.main import app
from llm2llm.exceptions import DataError
from llm2llm.files import read_records, write_records
from llm2llm.ids import example_id
from llm2llm.lineage.comparing import compare
from llm2llm.records.examples import Example


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    """Make a run and stand in its folder."""
    made = make_run(tmp_path / "run")
    monkeypatch.chdir(made.root)
    return made


def test_two_sets_of_a_run(made: Made) -> None:
    """What an iteration added is told, by number or by folder, and backwards as removed."""
    found = compare(made.root, "1", "data/sets/2")
    assert (found.n_same, found.n_added, found.n_removed, found.n_changed) == (7, 1, 0, 0)
    assert [each.example_id for each in found.added] == [made.kept["third"]]
    assert found.added_by_iteration == {"1": 1}
    assert found.params is None
    assert [
        (s.iteration, s.a and s.a.n_test_right, s.b and s.b.n_test_right) for s in found.scores
    ] == [
        (1, 2, None),
        (2, None, 3),
    ]
    back = compare(made.root, "2", "0")
    assert (back.n_added, back.n_removed, back.n_same) == (0, 3, 5)


def test_rows_in_another_order_are_the_same(made: Made) -> None:
    """The place of an example is no difference."""
    path = made.root / "data/sets/1/examples.parquet"
    write_records(path, Example, list(reversed(read_records(path, Example))))
    found = compare(made.root, "1", "2")
    assert (found.n_same, found.n_added, found.n_removed) == (7, 1, 0)


def test_another_text_of_the_same_request_is_a_change(made: Made, tmp_path: Path) -> None:
    """It is neither added nor removed; params and accuracies of two runs stand side by side."""
    other = make_run(tmp_path / "other")
    path = other.root / "data/sets/2/examples.parquet"
    rows = read_records(path, Example)
    rows[5] = replace(
        rows[5], input="Another text", example_id=example_id("Another text", "#### 3")
    )
    write_records(path, Example, rows[:-1])
    params = yaml.safe_load((other.root / "params.yaml").read_text())
    params["dedupe_against_test"]["rouge"]["default"] = 0.75
    params["random_seed"] = 8
    (other.root / "params.yaml").write_text(yaml.safe_dump(params))
    found = compare(made.root, ".", "../other")
    assert (found.n_same, found.n_added, found.n_removed, found.n_changed) == (6, 0, 1, 1)
    assert found.changed[0].before == [made.kept["first"]]
    assert found.changed[0].after == [rows[5].example_id]
    assert found.changed[0].seed_id == made.seeds[0]
    assert {(p.key, p.a, p.b) for p in found.params or ()} == {
        ("random_seed", 7, 8),
        ("dedupe_against_test.rouge.default", 0.85, 0.75),
    }
    assert [s.a and s.a.n_test_right for s in found.scores] == [1, 2, 3]


@pytest.mark.parametrize("name", ["7", "data", "nothing", "data/sets/x"])
def test_what_is_nothing_is_told(made: Made, name: str) -> None:
    """The message says what can be compared."""
    with pytest.raises(DataError, match="found no set, run or bundle there; expected"):
        compare(made.root, "1", name)


def test_json_has_the_same_facts(made: Made) -> None:
    """Plain output and JSON tell the same."""
    found = json.loads(CliRunner().invoke(app, ["diff", "1", "2", "--json"]).stdout)
    assert (found["n_added"], found["kinds"]) == (1, ["set", "set"])
    text = CliRunner().invoke(app, ["diff", "1", "2"]).stdout
    assert "1 added, 0 removed, 0 changed, 7 the same" in text
    assert made.kept["third"] in text
