"""Training states: what a killed training goes on from; only complete ones count."""

import shutil
from pathlib import Path

from llm2llm.work import is_complete, mark_complete

_PREFIX = "checkpoint-"  # transformers' Trainer names its states so


def newest_complete(folder: Path) -> Path | None:
    """Find the last complete training state and delete all others, half-written ones too."""
    states = sorted(folder.glob(_PREFIX + "*"), key=_step)
    complete = [state for state in states if is_complete(state)]
    newest = complete[-1] if complete else None
    for state in states:
        if state != newest:
            shutil.rmtree(state)
    return newest


def folder_of(folder: Path, step: int) -> Path:
    """Name the folder of the state that the Trainer writes after a step."""
    return folder / f"{_PREFIX}{step}"


def complete(folder: Path, step: int) -> None:
    """Mark the state just written as complete, then delete what it replaces."""
    mark_complete(folder_of(folder, step))
    newest_complete(folder)


def _step(state: Path) -> int:
    return int(state.name.removeprefix(_PREFIX))
