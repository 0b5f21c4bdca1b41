"""The wheel of this repository, built from a copy of what it is made of."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def build_wheel(folder: Path) -> Path:
    """Build it in a folder; the repository's own `build/` may hold modules that are gone."""
    source = folder / "source"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("llm2llm", "stages"):
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "dvc.yaml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source)
    code = f"import setuptools.build_meta as b; print(b.build_wheel({str(folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    return file
