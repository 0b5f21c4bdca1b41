"""One small run by the real DVC, which the tests of this folder share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from project import Project, copy_project, small
from server import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Serve a teacher for all runs of this session: the same address gives the same requests."""
    running = Server(tmp_path_factory.mktemp("server"), "gsm8k")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, server: Server) -> Project:
    """Run a small project to its end, undisturbed."""
    project = small(tmp_path_factory.mktemp("finished") / "p", server)
    project.repro()
    return project


@pytest.fixture
def again(finished: Project, tmp_path: Path) -> Project:
    """Give a copy of the finished project, to be changed."""
    return copy_project(finished, tmp_path / "p")
