"""A project folder for tests: the repository's own files, small params, the real DVC."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from server import Server

ROOT = Path(__file__).resolve().parents[2]
# What must be equal, byte for byte, between two runs with the same params.
RESULTS = ("data/sets", "data/iterations", "data/control", "data/report", "data/export")


@dataclass
class Project:
    """A copy of the repository in which stages can be run."""

    root: Path
    extra: dict[str, str] = field(default_factory=dict)

    def params(self) -> dict[str, Any]:
        """Read params.yaml."""
        return yaml.safe_load((self.root / "params.yaml").read_text(encoding="utf-8"))

    def set_params(self, **changes: Any) -> None:
        """Change params; a mapping changes only the keys that it names."""
        values = _merged(self.params(), changes)
        text = yaml.safe_dump(values, sort_keys=False)
        (self.root / "params.yaml").write_text(text, encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """Name the project's own package and the environment's commands."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DVC_", "PYTEST_"))}
        return {
            **kept,
            "PATH": path,
            "PYTHONPATH": str(self.root),
            "HF_HUB_OFFLINE": "1",
            **self.extra,
        }

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the project; its output is shown when it should not have failed."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=1500,
        )
        if check and done.returncode:
            raise AssertionError(f"{command} exited {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def repro(self, *arguments: str, check: bool = True) -> str:
        """Run `dvc --wait-for-lock repro` and give all that it printed."""
        done = self.run("dvc", "--wait-for-lock", "repro", *arguments, check=check)
        return done.stdout + done.stderr

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start `dvc repro` in a process group of its own."""
        with (self.root / "background.log").open("ab") as log:
            return subprocess.Popen(
                ["dvc", "--wait-for-lock", "repro", *arguments],
                cwd=self.root,
                env=self.environment(),
                stdout=log,
                stderr=log,
                start_new_session=True,
                # Whatever started the tests in the background may have had it ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def log(self) -> str:
        """Give what the runs in the background printed."""
        return (self.root / "background.log").read_text(encoding="utf-8")

    def json(self, *command: str) -> Any:
        """Run an llm2llm command with --json and parse what it printed."""
        return json.loads(self.run("llm2llm", *command, "--json").stdout)

    def results(self) -> dict[str, str]:
        """Hash every file of every result."""
        return {
            str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest()
            for name in RESULTS
            for path in sorted((self.root / name).rglob("*"))
            if path.is_file()
        }


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(values)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def repository_files() -> Iterator[str]:
    """List the files that a clone would have, and new ones that git does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in sorted(set(filter(None, listed.split("\0")))):
        if (ROOT / name).is_file():
            yield name


def make_project(folder: Path) -> Project:
    """Copy the repository into a folder, as a clone would be."""
    for name in repository_files():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    return Project(folder)


def copy_project(project: Project, folder: Path) -> Project:
    """Copy a project with all it has made: outs, cache, ledger and work."""
    shutil.copytree(project.root, folder, symlinks=True)
    return Project(folder)


def wait_for(condition: Any, what: str, timeout_s: float = 240) -> None:
    """Wait until a condition holds; a run that never gets there fails the test."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.02)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL a run with all its stages at once."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def cut(source: Path, target: Path, n: int) -> None:
    """Keep the first n lines of a file."""
    lines = source.read_text(encoding="utf-8").splitlines(keepends=True)
    target.write_text("".join(lines[:n]), encoding="utf-8")


def small(folder: Path, server: Server) -> Project:
    """Make a project whose run takes a minute: a barely trained student, few rows."""
    project = make_project(folder)
    raw = project.root / "data/raw/quickstart"
    for name, n in (("train", 60), ("test", 12)):
        cut(raw / f"{name}.jsonl", raw / f"{name}_small.jsonl", n)
    project.set_params(
        iterations=1,
        base_model={"n_tokens": 20_000, "threads": 1},
        subsample={
            "train": "data/raw/quickstart/train_small.jsonl",
            "test": "data/raw/quickstart/test_small.jsonl",
            "n_seeds": 10,
        },
        train_iter={"epochs": 6, "threads": 1},
        predict={"max_new_tokens": 40, "threads": 1},
        teacher_batch={"backend": "openai", "openai": {"base_url": server.url, "random_seed": 1}},
        runtime={"teacher_concurrency": 2, "checkpoint_every_steps": 1},
    )
    return project
