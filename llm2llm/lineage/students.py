"""Which student of a run is meant, and what is known of it."""

from dataclasses import dataclass
from pathlib import Path

from llm2llm.exceptions import DataError
from llm2llm.files import read_records
from llm2llm.grading import Accuracy, accuracy
from llm2llm.lineage.run import Run
from llm2llm.records.predictions import Prediction

BEST = "best"


@dataclass(frozen=True, slots=True)
class Student:
    """One student with what it reached; `chosen_by` says why it is this one."""

    iteration: int
    folder: Path
    chosen_by: str
    accuracy: dict[str, Accuracy]


def find_student(run: Run, wanted: str | None) -> Student:
    """Find the student of an iteration, the newest one (null), or the `best` on the dev rows.

    Test rows never choose: what they say of the student chosen would then be no measurement. Of
    equally good students the earliest is taken, and `chosen_by` names the others. Raises DataError
    where there is none such.
    """
    there = [i for i in range(run.n_iterations + 1) if _is_there(run, i)]
    if not there:
        raise DataError(
            f"{run.in_iteration(0, 'student')}: no student was trained and measured yet;"
            " `dvc repro` does it"
        )
    if wanted is None:
        return _student(run, there[-1], "the newest")
    if wanted == BEST:
        return _best(run, there)
    if not wanted.isdecimal() or int(wanted) not in there:
        raise DataError(
            f"--iteration: found {wanted!r}, expected `{BEST}` or one of"
            f" {', '.join(str(i) for i in there)}"
        )
    return _student(run, int(wanted), "named")


def _best(run: Run, there: list[int]) -> Student:
    dev = {i: _accuracies(run, i)["dev"] for i in there}
    if not any(found.n for found in dev.values()):
        raise DataError(
            f"--iteration {BEST}: found no dev rows to choose by, and test rows only measure; name"
            f" one of {', '.join(str(i) for i in there)} as --iteration, or a file as"
            " `subsample.dev`"
        )
    share = max(found.share for found in dev.values())
    chosen, *equal = [i for i in there if dev[i].share == share]
    tie = f" (a tie with {', '.join(map(str, equal))}, so the earliest)" if equal else ""
    return _student(run, chosen, f"the best of {len(there)} on {dev[chosen].n} dev rows{tie}")


def _student(run: Run, iteration: int, chosen_by: str) -> Student:
    folder = run.in_iteration(iteration, "student")
    return Student(iteration, folder, chosen_by, _accuracies(run, iteration))


def _accuracies(run: Run, iteration: int) -> dict[str, Accuracy]:
    predictions = read_records(run.predictions(iteration), Prediction)
    return {
        split: accuracy([p.verdict for p in predictions if p.split == split])
        for split in ("seed", "dev", "test")
    }


def _is_there(run: Run, iteration: int) -> bool:
    manifest = run.in_iteration(iteration, "student") / "manifest.json"
    return manifest.exists() and run.predictions(iteration).exists()
