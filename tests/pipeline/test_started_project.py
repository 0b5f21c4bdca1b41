"""A project that `llm2llm init` made, under the real DVC."""

from pathlib import Path

import pytest
from project import Project

pytestmark = pytest.mark.pipeline


def test_dvc_runs_a_new_project_and_sees_other_code(tmp_path: Path) -> None:
    """Stages run and are then up to date; another listing stops its stage, `upgrade` mends it."""
    rows = "".join(f"ticket {k} of {k % 3},{'XYZ'[k % 3]}\n" for k in range(60))
    (tmp_path / "t.csv").write_text("text,label\n" + rows)
    project = Project(tmp_path / "p")
    Project(tmp_path).run(
        *("llm2llm", "init", "p", "--data", "t.csv", "--student", "embedded"),
        *("--teacher", "ollama", "--iterations", "1"),
    )
    project.repro("subsample")
    assert (project.root / "data/split/seed.parquet").is_file()
    listing = project.root / "stages/code/subsample.sha256"
    listing.write_text("0" * 64 + listing.read_text(encoding="utf-8")[64:])
    told = project.repro("subsample", check=False)
    assert "run `llm2llm upgrade`" in told
    assert "Running stage 'plan'" not in told
    project.run("llm2llm", "upgrade", "--yes")
    assert "didn't change" in project.repro("subsample")
