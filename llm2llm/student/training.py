"""A student for a set: taken from the store where the same training was done before, else made."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from llm2llm.files import link_or_copy, replacing_folder
from llm2llm.student.making import make
from llm2llm.student.pace import Progress
from llm2llm.student.processes.group import make_in_processes
from llm2llm.student.training_facts import Training, check, facts_of, is_whole, training_key
from llm2llm.work import is_complete, mark_complete, unit_of_work


def train_student(
    training: Training,
    *,
    store: Path,
    checkpoint_every_steps: int,
    on_wait: Callable[[str], None],
    on_progress: Callable[[Progress], None],
    use: Callable[[Path], None],
) -> Path:
    """Give the folder with the student's files and manifest.json, under `store`.

    `use` gets it while the lock is held, so that an orphan of a killed run and the run that waits
    for it do not write the same files at once.

    A training that was killed goes on from its newest complete state. A finished one is taken
    as it is, and torch is not imported.
    """
    check(training)
    facts = facts_of(training)
    with unit_of_work(store, training_key(training), on_wait) as folder:
        student = folder / "student"
        if not (is_complete(student) and is_whole(student)):
            states = folder / "states"
            states.mkdir(exist_ok=True)
            shutil.rmtree(student, ignore_errors=True)
            do = (
                make
                if training.params.processes == 1
                else partial(make_in_processes, on_wait=on_wait)
            )
            do(training, facts, student, states, checkpoint_every_steps, on_progress)
            mark_complete(student)
            shutil.rmtree(states)
        use(student)
        return student


def deliver(student: Path, target: Path) -> None:
    """Give a finished student's files a second name, outside the store."""
    with replacing_folder(target) as temporary:
        for path in sorted(student.iterdir()):
            if path.name != "complete":
                link_or_copy(path, temporary / path.name)


def summary(manifest: Mapping[str, Any]) -> str:
    """Say in one line what a manifest says of a student."""
    counts = manifest["counts"]
    too_long = counts["examples_too_long"]
    return (
        f"{counts['examples']} examples, {manifest['n_updates']} updates"
        + (f", {too_long} longer than {manifest['max_tokens']} tokens left out" if too_long else "")
        + f", checkpoint {manifest['checkpoint_sha256'][:12]}"
    )
