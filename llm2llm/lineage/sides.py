"""What can be compared: a set by number or folder, a project folder, a bundle's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.exceptions import DataError
from llm2llm.files import read_json
from llm2llm.lineage.finding import newest_set
from llm2llm.lineage.history import read_history
from llm2llm.lineage.progress import right_answers
from llm2llm.lineage.run import Run, open_run
from llm2llm.params.loading import read_yaml

# No byte of the data depends on these, and a bundle has none of them.
_NOT_OF_DATA = ("runtime", "report")


@dataclass(frozen=True, slots=True)
class Score:
    """What one student got right, of how many; null where it is not known."""

    n_seeds: int | None
    n_seeds_right: int | None
    n_test: int | None
    n_test_right: int | None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two; `params` are null for a set alone, `scores` are by student."""

    name: str
    kind: str
    set: int
    examples: Path
    params: Mapping[str, Any] | None
    scores: Mapping[int, Score]


def side(root: Path, given: str) -> Side:
    """Find what is meant, seen from the project in `root`; raises DataError where it is nothing."""
    path = root / (f"data/sets/{given}" if given.isdecimal() else given)
    if (path / "manifest.json").is_file() and (path / "dataset.parquet").is_file():
        return _bundle(given, path)
    if (path / "params.yaml").is_file():
        return _run(given, path)
    if (path / "examples.parquet").is_file() and path.name.isdecimal():
        return _set(given, path)
    raise DataError(
        f"{given}: found no set, run or bundle there; expected a set's number or folder"
        " (data/sets/3), a project's folder or a bundle's"
    )


def _set(given: str, path: Path) -> Side:
    number = int(path.name)
    predictions = path.parents[1] / f"iterations/{number}/predictions.parquet"
    scores = {number: _score(predictions)} if predictions.is_file() else {}
    return Side(given, "set", number, path / "examples.parquet", None, scores)


def _run(given: str, path: Path) -> Side:
    run = open_run(path)
    number = newest_set(run)
    params = {k: v for k, v in read_yaml(path / "params.yaml").items() if k not in _NOT_OF_DATA}
    task = path / str(params.get("task"))
    if task.is_file():
        params["task_file"] = read_yaml(task)
    return Side(given, "run", number, run.examples(number), params, _scores(run))


def _scores(run: Run) -> dict[int, Score]:
    students = range(run.n_iterations + 1)
    return {i: _score(run.predictions(i)) for i in students if run.predictions(i).is_file()}


def _score(predictions: Path) -> Score:
    found = right_answers(predictions)
    return Score(*found["seed"], *found["test"])


def _bundle(given: str, path: Path) -> Side:
    number = int(read_json(path / "manifest.json")["set"])
    history = read_history(path / "history.json", number)
    scores = {
        entry.iteration: Score(
            entry.accuracy["seed"].n,
            entry.accuracy["seed"].n_right,
            entry.accuracy["test"].n,
            entry.accuracy["test"].n_right,
        )
        for entry in history.iterations
    }
    params = read_json(path / "params.json")
    return Side(given, "bundle", number, path / "dataset.parquet", params, scores)
