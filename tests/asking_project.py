"""A project that has come to the teacher: made-up seeds, real params, a real server's address."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml
from finished_run import make_run

ROOT = Path(__file__).resolve().parent.parent
N_SEEDS, N_WRONG = 5, 3


def write_params(root: Path, url: str = "http://127.0.0.1:1/v1", **changes: Any) -> None:
    """Write params.yaml for the openai backend; a mapping changes only the keys that it names."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values |= {"iterations": 2, "random_seed": 7}
    values["teacher_batch"] |= {"backend": "openai", "attempts": 1}
    values["teacher_batch"]["openai"] |= {"base_url": url, "model": "m", "max_tokens": 200}
    for key, value in changes.items():
        values[key] = {**values[key], **value} if isinstance(value, dict) else value
    (root / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def fresh(root: Path, url: str = "http://127.0.0.1:1/v1", **changes: Any) -> Path:
    """Make a project in which nothing has run."""
    root.mkdir(exist_ok=True)
    for name in ("data/raw", "llm2llm/tasks", "stages"):
        shutil.copytree(ROOT / name, root / name)
    write_params(root, url, **changes)
    return root


def before_teacher(root: Path, url: str = "http://127.0.0.1:1/v1", **changes: Any) -> Path:
    """Make a project whose first student got 3 of 5 seeds wrong, and is to be told about."""
    make_run(root)
    for name in ("iterations/0/responses.parquet", "iterations/0/screened", "sets/1", "sets/2"):
        path = root / "data" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.rmtree(root / "data/iterations/1")
    shutil.rmtree(root / "data/iterations/2")
    return fresh(root, url, **changes)


def run_stage(root: Path, iteration: int) -> subprocess.CompletedProcess[str]:
    """Run the stage itself, as DVC does."""
    return subprocess.run(
        [sys.executable, "stages/teacher_batch.py", str(iteration)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
