"""A released bundle, and what stands in for the network and for packages that are not needed."""

import importlib.machinery
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS))
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["DISABLE_VERSION_CHECK"] = "1"  # LLaMA-Factory wants an older transformers to train
# LLaMA-Factory imports torchaudio for data sets with sound.
_torchaudio = types.ModuleType("torchaudio")
_torchaudio.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
sys.modules["torchaudio"] = _torchaudio

from finished_run import make_run  # noqa: E402 - the path above is needed first

PAIRS = 8


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep what the datasets library caches away from the home folder."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a run with texts that break careless writers of JSON and CSV."""
    root = tmp_path_factory.mktemp("run")
    make_run(root, hostile='"a, b"\n\u2028\\n {"k": 1} \U0001f600')
    subprocess.run(
        [sys.executable, str(TESTS.parent / "stages/export.py"), "2"], cwd=root, check=True
    )
    return root / "data/export"


@pytest.fixture(scope="session")
def pairs(bundle: Path) -> list[tuple[str, str]]:
    """Give input and target of each example, in order, by Arrow alone."""
    import pyarrow.parquet as pq

    rows = pq.read_table(bundle / "dataset.parquet").to_pylist()
    assert len(rows) == PAIRS
    return [(row["input"], row["target"]) for row in rows]
