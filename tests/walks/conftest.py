"""A folder in which a newcomer has what the pages name, and nothing else."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))

from built_wheel import ROOT, build_wheel  # noqa: E402 - the path above is needed first
from walked_page import steps  # noqa: E402
from walking import DOCS, INSTALL, Walk, locked, newcomer_environment  # noqa: E402


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that the processes of one pytest run have in common."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def wheel(shared: Path) -> Path:
    """Build the wheel, once."""
    built = shared / "built"
    with FileLock(shared / "built.lock"):
        found = list(built.glob("*.whl"))
        return found[0] if found else build_wheel(built)


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Give the environment of a newcomer's shell."""
    return newcomer_environment(tmp_path_factory.mktemp("home"), Path(sys.executable).parent)


@pytest.fixture(scope="session")
def place(shared: Path, wheel: Path, environment: dict[str, str]) -> Path:
    """Give the folder of all walks, installed once as start.md says."""
    place, done = shared / "walks", shared / "walks.installed"
    with FileLock(shared / "walks.lock"):
        if not done.exists():
            place.mkdir()
            _copy_what_the_pages_name(wheel, place)
            done.write_text(json.dumps(_install(place, environment)), encoding="utf-8")
    return place


@pytest.fixture(scope="session")
def installed(shared: Path, place: Path) -> list[dict[str, str]]:
    """Give the packages and versions that were there after each `pip install` of the page."""
    found: list[dict[str, str]] = json.loads((shared / "walks.installed").read_text())
    return found


def _install(place: Path, environment: dict[str, str]) -> list[dict[str, str]]:
    found = []
    walk = Walk.begin(place, environment, print)
    try:
        for step in steps(DOCS / "start.md"):
            if step.section == INSTALL:
                walk.go([step])
                if step.command.startswith("pip install"):
                    listed = walk.shell.run("pip list --format=freeze")
                    found.append(locked(listed.lines))
    finally:
        walk.end()
    return found


def _copy_what_the_pages_name(wheel: Path, place: Path) -> None:
    files = [wheel, ROOT / "requirements.lock"]
    files += [TESTS / name for name in ("teacher_server.py", "order_mails.py")]
    for file in files:
        shutil.copyfile(file, place / file.name)
    for name in ("trec", "gsm8k"):
        (place / name).mkdir()
        published = Path(os.environ["REAL_DATA"]) / name / "train.jsonl"
        shutil.copyfile(published, place / name / "train.jsonl")


@pytest.fixture
def walk(
    place: Path, environment: dict[str, str], record_property: Callable[[str, object], None]
) -> Iterator[Walk]:
    """Give a fresh shell in that folder."""
    walk = Walk.begin(place, environment, partial(record_property, "walked"))
    yield walk
    walk.end()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the walks noted, times among them, which no test judges."""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, note in report.user_properties:
            if name == "walked":
                terminalreporter.write_line(str(note))
