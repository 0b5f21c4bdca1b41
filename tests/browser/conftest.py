"""A real Chromium, and reports for it to open."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Browser, start
from pages import HOSTILE, N_LARGE, ROOT, report

sys.path.insert(0, str(ROOT / "tests"))

from finished_run import make_run


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Start the browser that all tests share; each opens its page anew."""
    programs = [shutil.which(name) for name in ("chromium", "chromedriver")]
    if None in programs:
        pytest.exit(
            "no chromium or chromedriver on the PATH; `apt-get install chromium chromium-driver`"
            " brings both",
            returncode=3,
        )
    started = start(*map(str, programs), tmp_path_factory.mktemp("profile"))
    yield started
    started.driver.quit()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Report on a run whose every text is hostile."""
    root = tmp_path_factory.mktemp("hostile")
    make_run(root, hostile=HOSTILE, recorded=True)
    return report(root, 2)


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Report on a made-up run of 50,000 examples."""
    root = tmp_path_factory.mktemp("large")
    script = str(ROOT / "benchmarks/lineage/synthetic.py")
    subprocess.run(
        [sys.executable, script, str(root), str(N_LARGE)], check=True, stdout=subprocess.DEVNULL
    )
    return report(root, 10)
