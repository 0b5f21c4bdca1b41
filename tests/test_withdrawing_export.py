"""What is withdrawn at export is counted, is nowhere in the bundle, and the bundle verifies."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import finished_run
import pytest
import yaml
from finished_run import PARAMS, TASK, Made, make_run

from llm2llm.bundle.records import ExportedRequest
from llm2llm.bundle.verifying import verify
from llm2llm.exceptions import DataError, LeakageCheckError, ParamsError
from llm2llm.exporting.facts import Tally
from llm2llm.exporting.release import Release, write_bundle
from llm2llm.exporting.withdrawn import without_empty_lists
from llm2llm.files import read_json, read_records, write_json
from llm2llm.ids import Json
from llm2llm.lineage.history import read_history
from llm2llm.lineage.run import Run
from llm2llm.params.export import ExportParams
from llm2llm.params.loading import load_section, read_yaml
from llm2llm.parsing import Candidate
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import TeacherPrompt
from llm2llm.teacher_prompts import ask_to_write

STAGE = Path(__file__).resolve().parent.parent / "stages" / "export.py"
REASON = "asked by its author"
NAMES = [
    *("seed", "example", "prompt", "teacher", "test item", "test item from 0.3"),
    *("test item from 0.4", "nothing of this run"),
]


def export(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the stage."""
    return subprocess.run(
        [sys.executable, str(STAGE), "2"], cwd=root, capture_output=True, text=True, env={}
    )


def set_entries(root: Path, *entries: dict[str, Any], **export_params: Any) -> dict[str, Any]:
    """Withdraw in params.yaml, and give all of it."""
    path = root / "params.yaml"
    params: dict[str, Any] = yaml.safe_load(path.read_text())
    params["export"] |= {"exclude": list(entries), **export_params}
    path.write_text(yaml.safe_dump(params))
    return params


def withdraw(root: Path, *entries: dict[str, Any], **export_params: Any) -> Tally:
    """Write the bundle of a run less these entries, as the stage does."""
    params = set_entries(root, *entries, **export_params)
    run = Run(root, 2)
    release = Release(
        run=run,
        history=read_history(run.in_set(2, "history.json"), 2),
        test=read_records(run.split("test"), SplitRow),
        export=ExportParams.model_validate(params["export"]),
        params=without_empty_lists(params),
        task=read_yaml(root / "task.yaml"),
        secrets=[],
    )
    folder = root / "data/export"
    folder.mkdir()
    return write_bundle(folder, release)


def texts(bundle: Path) -> str:
    """Give all rows of a bundle as one text."""
    import pyarrow.parquet as pq

    found = [path.read_text() for path in bundle.rglob("*.jsonl")]
    return "".join(
        [*found, *(str(pq.read_table(p).to_pylist()) for p in bundle.rglob("*.parquet"))]
    )


def cases(made: Made) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Name what can be withdrawn, and which examples go with it."""
    kept, seeds = made.kept, made.seeds
    return {
        "seed": ({"seed": seeds[1]}, [seeds[1], kept["second"]]),
        "example": ({"example": kept["third"]}, [kept["third"]]),
        "prompt": ({"prompt": "ab" * 32}, list(kept.values())),
        "teacher": ({"teacher": "teacher-1 "}, list(kept.values())),
        "test item": ({"test_item": made.tests[2]}, [kept["first"]]),
        "test item from 0.3": ({"test_item": made.tests[2], "above": 0.3}, [kept["first"]]),
        "test item from 0.4": ({"test_item": made.tests[2], "above": 0.4}, []),
        "nothing of this run": ({"seed": "ex-0123456789abcdef"}, []),
    }


@pytest.mark.parametrize("augmented_only", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_withdrawn_is_gone_and_counted(
    tmp_path: Path, name: str, augmented_only: bool
) -> None:
    """The examples are gone, the manifest counts them, and every check of `verify` holds."""
    made = make_run(tmp_path)
    entry, gone = cases(made)[name]
    if augmented_only:
        gone = [each for each in gone if each not in made.seeds]
    tally = withdraw(tmp_path, {**entry, "reason": REASON}, augmented_only=augmented_only)
    bundle = tmp_path / "data/export"
    found = verify(bundle)
    assert [(c.name, c.problems) for c in found.checks if c.problems] == []
    ids = {row.example_id for row in read_records(bundle / "dataset.parquet", Example)}
    whole = {*made.kept.values(), *([] if augmented_only else made.seeds)}
    assert ids == whole - set(gone)
    manifest = read_json(bundle / "manifest.json")
    assert manifest["withdrawn"] == [{**entry, "reason": REASON, "examples": len(gone)}]
    assert list(tally.withdrawn.values()) == [len(gone)]
    card = (bundle / "README.md").read_text()
    assert "## Withdrawn" in card
    assert REASON in card
    assert read_json(bundle / "params.json")["export"]["exclude"][0]["reason"] == REASON


def test_withdrawing_leaves_no_text_behind(tmp_path: Path) -> None:
    """A withdrawn seed's words, what was asked about it and what came are in no file."""
    made = make_run(tmp_path)
    withdraw(tmp_path, {"seed": made.seeds[1], "reason": REASON})
    found = texts(tmp_path / "data/export")
    for text in ("Seed 1", "New pears", "raw answer for 1"):
        assert text not in found, text
    assert "Seed 2" in found
    assert made.seeds[1] in found


def test_a_rejected_copy_of_what_is_withdrawn_loses_its_text(tmp_path: Path) -> None:
    """A near-duplicate that was rejected for the withdrawn example would tell it."""
    made = make_run(tmp_path)
    withdraw(tmp_path, {"example": made.kept["first"], "reason": REASON})
    found = texts(tmp_path / "data/export")
    assert "New apples" not in found
    assert "raw answer for 2" not in found
    assert made.rejected["duplicate"] in found


GROWN = "that grew by the old mill at the river"


def show_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask about seed 1 in iteration 1 as a task with `show_earlier` does."""
    told = yaml.safe_load(TASK.read_text())["teacher"] | {"show_earlier": True}
    prompt = TeacherPrompt.model_validate(told)
    plain = finished_run._request

    def request(iteration: int, k: int, hostile: str) -> dict[str, Json]:
        if (iteration, k) != (1, 1):
            return plain(iteration, k, hostile)
        error = SeedError("s1", 1, "wrong", "I say 3", "3", 1, False, 0, True)
        asked = ask_to_write(
            error,
            Candidate("Seed 1", "#### 2"),
            [f"New pears {hostile}"],
            prompt=prompt,
            draw=0,
            random_seed=7,
        )
        return {"messages": [{"role": m.role, "content": m.content} for m in asked.messages]}

    monkeypatch.setattr(finished_run, "_request", request)


@pytest.mark.parametrize("hostile", ["", GROWN])
def test_a_request_that_shows_a_withdrawn_example_is_withheld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hostile: str
) -> None:
    """With `show_earlier` later requests of its seed show its input; no other request goes."""
    show_earlier(monkeypatch)
    made = make_run(tmp_path, hostile=hostile)
    withdraw(tmp_path, {"example": made.kept["second"], "reason": REASON})
    bundle = tmp_path / "data/export"
    assert "New pears" not in texts(bundle)
    assert [(c.name, c.problems) for c in verify(bundle).checks if c.problems] == []
    rows = read_records(bundle / "lineage/requests.parquet", ExportedRequest)
    withheld = {row.request_id: row.withheld for row in rows}
    gone = made.requests["1/1"]
    assert withheld.pop(gone) == "withdrawn"
    assert set(withheld.values()) == {None}


def test_a_withdrawn_text_in_a_text_of_ones_own_stops_the_export(tmp_path: Path) -> None:
    """A reason that quotes what it withdraws would hand it on in manifest and card."""
    made = make_run(tmp_path, hostile=GROWN)
    entry = {"example": made.kept["second"], "reason": f"says: New pears, {GROWN.upper()}!"}
    with pytest.raises(LeakageCheckError, match="a withdrawn text stands in it"):
        withdraw(tmp_path, entry)


def test_without_entries_the_bundle_is_what_it_was(tmp_path: Path) -> None:
    """Empty lists leave no trace in params.json, card or manifest."""
    make_run(tmp_path)
    withdraw(tmp_path)
    bundle = tmp_path / "data/export"
    params = read_json(bundle / "params.json")
    assert "sets" not in params
    assert "exclude" not in params["export"]
    assert "withdrawn" not in read_json(bundle / "manifest.json")
    assert "Withdrawn" not in (bundle / "README.md").read_text()


def test_a_seed_cannot_be_withdrawn_as_an_example_alone(tmp_path: Path) -> None:
    """Its text would stay in what was asked about it, so the stage says how to withdraw it."""
    made = make_run(tmp_path)
    with pytest.raises(DataError, match=f"write `seed: {made.seeds[0]}`"):
        withdraw(tmp_path, {"example": made.seeds[0], "reason": REASON})


def test_the_stage_withdraws_and_says_so(tmp_path: Path) -> None:
    """The stage applies the list of params.yaml, and tells each entry with its number."""
    made = make_run(tmp_path)
    set_entries(tmp_path, {"seed": made.seeds[1], "reason": REASON})
    done = export(tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"export: withdrawn by seed {made.seeds[1]}: 2 examples" in done.stderr


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"reason": "x"}, "exactly one of"),
        ({"seed": "a", "teacher": "b", "reason": "x"}, "exactly one of"),
        ({"seed": "a"}, "reason`: missing"),
        ({"seed": "a", "above": 0.5, "reason": "x"}, "above only beside test_item"),
        ({"sed": "a", "reason": "x"}, "did you mean `seed`"),
    ],
)
def test_an_entry_that_cannot_be_is_told(
    tmp_path: Path, entry: dict[str, Any], message: str
) -> None:
    """A mistyped entry stops the stage, with the place in params.yaml."""
    (tmp_path / "params.yaml").write_text(PARAMS.replace("{n}", "2"))
    set_entries(tmp_path, entry)
    with pytest.raises(ParamsError) as told:
        load_section(tmp_path / "params.yaml", "export", ExportParams)
    assert message in str(told.value)
    assert "export.exclude.0" in str(told.value)


def test_verify_names_what_is_missing_or_there_against_the_list(tmp_path: Path) -> None:
    """A manifest that withdraws something else than is missing does not hold."""
    made = make_run(tmp_path)
    withdraw(tmp_path, {"example": made.kept["third"], "reason": REASON})
    bundle = tmp_path / "data/export"
    manifest = read_json(bundle / "manifest.json")
    manifest["withdrawn"][0]["example"] = made.kept["first"]
    write_json(bundle / "manifest.json", manifest)
    told = json.dumps([p.problem for c in verify(bundle).checks for p in c.problems])
    assert f"{made.kept['third']}: not in the dataset" in told
    assert f"{made.kept['first']}: in the dataset, and withdrawn" in told
    manifest["withdrawn"] = [{"seed": made.seeds[0], "reason": REASON, "examples": 1}]
    write_json(bundle / "manifest.json", manifest)
    told = json.dumps([p.problem for c in verify(bundle).checks for p in c.problems])
    assert f"{made.seeds[0]}: in the dataset, and withdrawn" in told
