"""The built package: what is in it, and what works where nothing else is installed."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from built_wheel import ROOT, build_wheel

from llm2llm.extras import EXTRAS, install_line, missing

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# What only the extras bring; polars, pyarrow, pydantic and the like are the core.
BEYOND_CORE = {package for packages in EXTRAS.values() for package in packages} | {
    "click",
    "pytest",
}

# Runs a command with the unpacked wheel first on the path, and without what is beyond the core.
CORE = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {BEYOND_CORE!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
import importlib.metadata as metadata
version = metadata.version
def without(name):
    if name in {BEYOND_CORE!r}:
        raise metadata.PackageNotFoundError(name)
    return version(name)
metadata.version = without
sys.path.insert(0, sys.argv.pop(1))
from llm2llm.cli.main import main
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, and unpack it."""
    built = tmp_path_factory.mktemp("wheel")
    site = built / "site"
    with zipfile.ZipFile(build_wheel(built)) as archive:
        archive.extractall(site)
    return site


def core(wheel: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the wheel's command in a folder, with the core's packages alone."""
    return subprocess.run(
        [sys.executable, "-c", CORE, str(wheel), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_wheel_holds_the_package_and_the_pipeline(wheel: Path) -> None:
    """Every module, preset, task and page, and the pipeline as it stands in the repository."""
    for path in (ROOT / "llm2llm").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert (wheel / path.relative_to(ROOT)).is_file(), path
    shipped = wheel / "llm2llm/pipeline"
    stages = [path for kind in ("*.py", "*.yaml") for path in (ROOT / "stages").glob(kind)]
    names = ["dvc.yaml", *(f"stages/{path.name}" for path in stages)]
    for name in names:
        assert (shipped / name).read_bytes() == (ROOT / name).read_bytes()
    assert len([path for path in shipped.rglob("*") if path.is_file()]) == len(names)
    assert not (wheel / "tests").exists()


def test_the_core_alone_makes_a_project_and_checks_what_it_is_given(
    wheel: Path, tmp_path: Path
) -> None:
    """`init` and `upgrade` from the wheel, without DVC, torch or a client of any endpoint."""
    rows = "".join(f"ticket {k} of {k % 3},{'XYZ'[k % 3]}\n" for k in range(60))
    (tmp_path / "t.csv").write_text("text,label\n" + rows)
    done = core(wheel, tmp_path, "init", "p", "--data", "t.csv")
    assert done.returncode == 0, done.stderr
    assert "pip install 'llm2llm[pipeline,training]'" in done.stdout
    done = core(wheel, tmp_path / "p", "upgrade")
    assert done.stdout.startswith("this project is up to date"), done.stdout + done.stderr
    done = core(wheel, tmp_path / "p", "validate", "--no-reach")
    assert "package dvc is not installed; `pip install 'llm2llm[pipeline]'`" in done.stdout
    for command in ("verify", "leakcheck"):
        done = core(wheel, tmp_path, command, "none")
        assert done.returncode not in (0, 1), done.stderr
        assert "Traceback" not in done.stderr


def test_a_missing_extra_names_the_line_to_run(wheel: Path, tmp_path: Path) -> None:
    """A command and a stage that need one say which, without a traceback."""
    rows = "".join(f"ticket {k} of {k % 3},{'XYZ'[k % 3]}\n" for k in range(60))
    (tmp_path / "t.csv").write_text("text,label\n" + rows)
    core(wheel, tmp_path, "init", "p", "--data", "t.csv", "--teacher", "ollama")
    done = core(wheel, tmp_path / "p", "preview")
    assert re.fullmatch(r"error: .*run `pip install 'llm2llm\[pipeline\]'`\n", done.stderr)
    assert "is not installed" in done.stderr


def test_extras_are_those_of_pyproject() -> None:
    """Each package that a message speaks of is brought by that extra, itself or through another."""
    through = {
        "huggingface_hub": "transformers",
        "psutil": "accelerate",
        "safetensors": "transformers",
        "tokenizers": "transformers",
    }
    for extra, packages in EXTRAS.items():
        wanted = " ".join(PROJECT["optional-dependencies"][extra]).replace("-", "_")
        for package in packages:
            brought_by = {package, through.get(package, package)}
            assert any(re.search(rf"\b{name}\b", wanted) for name in brought_by), package


def test_what_no_extra_brings_is_not_made_up() -> None:
    """Another package's absence is shown as it is."""
    assert install_line("numpy") is None
    assert missing(ModuleNotFoundError("no", name="numpy.core")) is None
    assert missing(ModuleNotFoundError("no")) is None
    told = missing(ModuleNotFoundError("no", name="torch.nn"))
    assert told == "the package torch is not installed; run `pip install 'llm2llm[training]'`"


def test_the_help_follows_the_path() -> None:
    """The parts stand in order, and each command in one of them."""
    done = subprocess.run(
        [sys.executable, "-m", "llm2llm.cli.main"], capture_output=True, check=False
    )
    assert done.returncode == 0
    from typer.testing import CliRunner

    from llm2llm.cli.main import COMMANDS, app

    told = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).stdout
    assert "..." not in told.partition("\n")[2], "a line is cut off"
    places = [told.index(f"\n{title}:\n") for title in COMMANDS]
    assert places == sorted(places)
    every = [name for names in COMMANDS.values() for name in names]
    assert len(every) == len(set(every))
    assert all(re.search(rf"\n  {name} +\S", told) for name in every)
    # Of a sentence that is too long for its line the first part is told, not half a word of it.
    assert re.search(r"\n  verify +Check a bundle\.\n", told)


@pytest.mark.parametrize("group", ["task", "preset", "review", "student", "ledger"])
def test_the_help_of_a_group_is_whole(group: str) -> None:
    """No command's sentence is cut off where a line ends."""
    from typer.testing import CliRunner

    from llm2llm.cli.main import app

    told = CliRunner().invoke(app, [group, "--help"], env={"COLUMNS": "80"}).stdout
    assert "Commands:" in told
    assert "..." not in told.partition("\n")[2]
