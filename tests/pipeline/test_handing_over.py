"""Handing a finished run over: the bundle traced and verified, and fetched by the real DVC."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from project import ROOT, Project, copy_project

from llm2llm.ids import sha256_file

pytestmark = [pytest.mark.pipeline, pytest.mark.xdist_group("pipeline"), pytest.mark.timeout(900)]


def git(folder: Path, *arguments: str) -> None:
    """Run git as somebody, in a folder."""
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def remote(finished: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Commit a finished run as its owner would, push its outs to a folder, and clone it."""
    folder = tmp_path_factory.mktemp("handing-over")
    owner = copy_project(finished, folder / "owner")
    owner.run("dvc", "remote", "add", "-d", "-f", "store", str(folder / "store"))
    git(owner.root, "add", "-A", "-f", "dvc.lock", "stages/dvc.lock", ".dvc/config")
    git(owner.root, "add", "-A")
    git(owner.root, "commit", "-q", "-m", "A finished run")
    # What params do not ask for has no output to push.
    owner.run("dvc", "push", "--run-cache", check=False)
    git(folder, "clone", "-q", str(owner.root), "clone")
    # The clone has the owner's history and remote, and nothing else of theirs.
    assert not (folder / "clone/data/export").exists()
    return folder / "clone"


@pytest.fixture
def receiver(finished: Project, tmp_path: Path) -> Project:
    """Make an empty DVC repository of somebody else's."""
    folder = tmp_path / "receiver"
    folder.mkdir()
    git(folder, "init", "-q")
    other = Project(folder)
    other.run("dvc", "init", "-q")
    return other


def same(folder: Path, other: Path) -> None:
    """See that two folders hold the same files with the same bytes."""
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    others = {path.relative_to(other) for path in other.rglob("*") if path.is_file()}
    assert len(files) > 2
    assert files == others
    assert all(sha256_file(folder / name) == sha256_file(other / name) for name in files)


def test_every_exported_row_is_traced_back(finished: Project) -> None:
    """A script that reads the bundle alone finds no orphan; its sums are everybody's."""
    told = finished.run(sys.executable, str(ROOT / "tests/compare_sums.py")).stdout
    assert re.fullmatch(r"\d+ rows traced back; status, history and metrics agree\n", told)
    history = json.loads((finished.root / "data/sets/1/history.json").read_text())
    assert [entry["counts"]["kept"] > 0 for entry in history["iterations"]] == [True]


def test_sums_that_disagree_are_told(finished: Project, tmp_path: Path) -> None:
    """The comparison can fail: a row less in the bundle differs from all that tells of the run."""
    copy = copy_project(finished, tmp_path / "copy")
    dataset = copy.root / "data/export/dataset.parquet"
    table = pq.read_table(dataset)
    dataset.unlink()  # it may be a link into DVC's cache
    pq.write_table(table.slice(0, table.num_rows - 1), dataset)
    done = copy.run(sys.executable, str(ROOT / "tests/compare_sums.py"), check=False)
    assert done.returncode == 1
    assert f"status n_examples: the bundle adds up to {table.num_rows - 1}" in done.stdout


def test_the_bundle_of_a_real_run_holds(finished: Project) -> None:
    """`llm2llm verify` passes on folder and archive, and against the run's own test file."""
    test = finished.params()["subsample"]["test"]
    for bundle in ("data/export", "data/export.tar.gz"):
        found = finished.json("verify", bundle, "--test", test)
        assert found["passed"], found
        assert found["retest"]["same_test_set"]
        assert found["retest"]["n_leaks"] == 0


@pytest.mark.parametrize("command", ["get", "import"])
@pytest.mark.parametrize("path", ["data/export", "data/sets/0", "data/sets/1"])
def test_dvc_brings_bundle_and_sets_to_others(
    finished: Project, remote: Path, receiver: Project, command: str, path: str
) -> None:
    """`dvc get` and `dvc import` fetch the bundle and any iteration's set from a clone."""
    receiver.run("dvc", command, str(remote), path, "-o", "brought")
    same(receiver.root / "brought", finished.root / path)
    assert (receiver.root / "brought.dvc").exists() == (command == "import")
    if path == "data/export":
        assert receiver.json("verify", "brought")["passed"]


def test_artifacts_are_found_by_name(finished: Project, remote: Path, receiver: Project) -> None:
    """Each entry of `artifacts:` names an output, and DVC brings it by that name's path."""
    code = (
        "import json, sys\n"
        "from dvc.repo import Repo\n"
        "found = Repo(sys.argv[1]).artifacts.read()['dvc.yaml']\n"
        "print(json.dumps({name: each.path for name, each in found.items()}))"
    )
    done = finished.run(sys.executable, "-c", code, str(remote))
    paths = json.loads(done.stdout.splitlines()[-1])
    assert paths["final-set"] == "data/sets/1"
    assert set(paths) == {"bundle", "bundle-archive", "final-set", "final-student"}
    for name, path in paths.items():
        receiver.run("dvc", "get", str(remote), path, "-o", name)
        source = finished.root / path
        if source.is_dir():
            same(receiver.root / name, source)
        else:
            assert sha256_file(receiver.root / name) == sha256_file(source)
