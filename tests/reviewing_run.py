"""A made-up run whose examples are reviewed, and its sheet."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

from finished_run import Made, make_run
from typer.testing import CliRunner, Result

from llm2llm.cli.main import app
from llm2llm.exporting.release import Release, write_bundle
from llm2llm.exporting.withdrawn import without_empty_lists
from llm2llm.files import read_records
from llm2llm.lineage.history import read_history
from llm2llm.lineage.run import Run
from llm2llm.params.export import ExportParams
from llm2llm.params.loading import read_yaml
from llm2llm.records.split import SplitRow
from llm2llm.reviewing.edits import reviewed

STAGE = Path(__file__).resolve().parent.parent / "stages" / "export.py"


def make_reviewed_run(root: Path) -> Made:
    """Make a run with all the params that the gates need, and targets that need no arithmetic."""
    made = make_run(root)
    path = root / "params.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("  loosest:", "  judge: null\n  loosest:"), encoding="utf-8")
    task = root / "task.yaml"
    text = task.read_text(encoding="utf-8")
    assert "arithmetic: true" in text
    task.write_text(text.replace("arithmetic: true", "arithmetic: false"), encoding="utf-8")
    return made


def review(*arguments: str) -> Result:
    """Call the command in the working directory."""
    return CliRunner().invoke(app, ["review", *arguments])


def fill_in(made: Made, *rows: dict[str, str], name: str = "filled.csv") -> Path:
    """Write a sheet with these rows, as a spreadsheet that uses semicolons would."""
    path = made.root / name
    names = ["example_id", "decision", "note", "edited_input", "edited_target"]
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.DictWriter(stream, names, restval="", delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    return path


def write(root: Path) -> Path:
    """Write the bundle of a run, as the stage does."""
    run = Run(root, 2)
    params = read_yaml(root / "params.yaml")
    release = Release(
        run=run,
        history=read_history(run.in_set(2, "history.json"), 2),
        test=read_records(run.split("test"), SplitRow),
        export=ExportParams.model_validate(params["export"]),
        params=without_empty_lists(params),
        task=read_yaml(root / "task.yaml"),
        secrets=[],
        reviewed=reviewed(run, 2),
    )
    folder = root / "data/export"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    write_bundle(folder, release)
    return folder


def export(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the stage itself."""
    return subprocess.run(
        [sys.executable, str(STAGE), "2"], cwd=root, capture_output=True, text=True, env={}
    )
