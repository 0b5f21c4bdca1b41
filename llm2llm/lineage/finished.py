"""Read a finished run as a whole, every earlier file checked against history.json first."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llm2llm.exceptions import CountError
from llm2llm.files import read_records
from llm2llm.lineage.history import History, checked, read_checked, read_history
from llm2llm.lineage.run import Run
from llm2llm.records.examples import Example
from llm2llm.records.predictions import Prediction
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.state import SeedState


@dataclass(frozen=True, slots=True)
class Finished:
    """A run of N augmentations.

    `predictions` has N + 1 entries, `kept` and `rejected` N; `control` is null where none was
    trained.
    """

    n_iterations: int
    history: History
    examples: Sequence[Example]
    states: Sequence[SeedState]
    predictions: Sequence[Sequence[Prediction]]
    kept: Sequence[Sequence[Kept]]
    rejected: Sequence[Sequence[Rejected]]
    control: Sequence[Prediction] | None


def read_finished(root: Path, n_iterations: int) -> Finished:
    """Read the run that set `n_iterations` ends; raises DataError where an earlier file changed."""
    run = Run(root, n_iterations)
    history = read_history(run.in_set(n_iterations, "history.json"), n_iterations)
    files = {name: value for entry in history.iterations for name, value in entry.files.items()}
    folders = [f"data/iterations/{entry.iteration}" for entry in history.iterations]
    predictions = [
        read_checked(root, files, f"{folder}/predictions.parquet", Prediction) for folder in folders
    ]
    predictions.append(read_records(run.predictions(n_iterations), Prediction))
    control = run.control()
    finished = Finished(
        n_iterations=n_iterations,
        history=history,
        examples=read_records(run.examples(n_iterations), Example),
        states=read_records(run.in_set(n_iterations, "state.parquet"), SeedState),
        predictions=predictions,
        kept=[
            read_checked(root, files, f"{folder}/screened/kept.parquet", Kept) for folder in folders
        ],
        rejected=[read_rejected(root, files, iteration) for iteration in range(n_iterations)],
        control=read_records(control, Prediction) if control.exists() else None,
    )
    _balance(finished)
    return finished


def read_rejected(root: Path, sha256_by_path: dict[str, str], iteration: int) -> list[Rejected]:
    """Read what screening rejected in one iteration, checked."""
    name = f"data/iterations/{iteration}/screened/rejected.parquet"
    return read_checked(root, sha256_by_path, name, Rejected)


def certificates(root: Path, history: History) -> dict[int, str]:
    """Hash the certificate of each iteration, checked; raises DataError where one changed."""
    found = {}
    for entry in history.iterations:
        name = f"data/iterations/{entry.iteration}/screened/certificate.json"
        checked(root, entry.files, name)
        found[entry.iteration] = entry.files[name]
    return found


def _balance(finished: Finished) -> None:
    """Raise CountError where the set is not its seeds and all that was kept."""
    n_seeds = sum(example.origin == "seed" for example in finished.examples)
    n_kept = sum(len(kept) for kept in finished.kept)
    if n_seeds != len(finished.states) or n_seeds + n_kept != len(finished.examples):
        raise CountError(
            f"set {finished.n_iterations}: {len(finished.examples)} examples of which {n_seeds} are"
            f" seeds; expected {len(finished.states)} seeds and {n_kept} kept;"
            " `dvc repro --force` makes it again"
        )
