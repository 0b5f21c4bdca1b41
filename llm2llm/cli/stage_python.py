"""Whether the `python` that DVC's commands find is one that has this package."""

import shutil
import subprocess
from pathlib import Path

import llm2llm

_ASK = "import llm2llm; print(llm2llm.__file__)"
_LIMIT_S = 60


def stage_python_note() -> str | None:
    """Say why `dvc repro` would fail, or run other code, in this shell; None where it would not."""
    found = shutil.which("python")
    if found is None:
        return (
            "no `python` is on the PATH, which the stages are run by; activate the environment of"
            " llm2llm before dvc repro"
        )
    try:
        asked = subprocess.run(
            [found, "-P", "-c", _ASK], capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as failure:
        return f"{found}, which the stages are run by, does not run: {failure}"
    if asked.returncode:
        return (
            f"{found}, which the stages are run by, has no llm2llm; activate the environment of"
            " llm2llm before dvc repro"
        )
    if Path(asked.stdout.strip()).resolve() != Path(llm2llm.__file__).resolve():
        return (
            f"{found}, which the stages are run by, has another llm2llm, {asked.stdout.strip()}, in"
            " place of this one; activate one environment, and call llm2llm and dvc of that"
        )
    return None
