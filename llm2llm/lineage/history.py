"""history.json of a set: what each earlier iteration was, and whether its files still are that."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from llm2llm.exceptions import DataError
from llm2llm.files import read_json, read_records
from llm2llm.ids import sha256_file

Record = TypeVar("Record")


class _Part(BaseModel):
    """A part of the file; keys that a later version adds are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class SetSize(_Part):
    """The set that the iteration's student was trained on."""

    examples_sha256: str
    n_examples: int


class Counts(_Part):
    """What the iteration asked and got; `rejected` counts by gate."""

    errors: int
    asked: int
    requests: int
    answered: int
    failed: int
    candidates: int
    kept: int
    rejected: dict[str, int]


class Tally(_Part):
    """Verdicts of one split, counted."""

    n: int
    n_right: int
    n_unparsable: int


class Tokens(_Part):
    """Tokens that the teacher reported; null where it reported none."""

    prompt: int | None
    completion: int | None


class Entry(_Part):
    """One iteration."""

    iteration: int
    set: SetSize
    checkpoint_sha256: str
    files: dict[str, str]
    counts: Counts
    accuracy: dict[str, Tally]
    tokens: Tokens


class History(_Part):
    """All iterations that made the set, in order."""

    iterations: list[Entry]


def read_history(path: Path, n_iterations: int) -> History:
    """Read the history of set `n_iterations`; raises DataError where it is not that."""
    try:
        history = History.model_validate(read_json(path))
    except ValidationError as failure:
        first = failure.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"{path}: field {where or 'of the file'}: {first['msg'].lower()}; another version wrote"
            " it: `dvc repro --force` writes it again"
        ) from None
    found = [entry.iteration for entry in history.iterations]
    if found != list(range(n_iterations)):
        raise DataError(
            f"{path}: found iterations {found}, expected 0 to {n_iterations - 1};"
            " `dvc repro` makes the set again"
        )
    return history


def read_checked(
    root: Path, sha256_by_path: dict[str, str], name: str, record: type[Record]
) -> list[Record]:
    """Read the records of an earlier file, after its bytes were found to be the recorded ones."""
    return read_records(checked(root, sha256_by_path, name), record)


def checked(root: Path, sha256_by_path: dict[str, str], name: str) -> Path:
    """Find an earlier file whose bytes still hash as history.json says, else raise DataError.

    `name` is the path relative to `root`, as history.json spells it.
    """
    path = root / name
    expected = sha256_by_path.get(name)
    if expected is None:
        raise DataError(f"{path}: history.json does not list it; `dvc repro` makes both again")
    if not path.exists():
        raise DataError(f"{path}: no such file; `dvc checkout` brings it back, or `dvc repro`")
    found = sha256_file(path)
    if found != expected:
        raise DataError(
            f"{path}: SHA-256 is {found[:12]}..., history.json says {expected[:12]}...: it changed"
            " after the set was merged; `dvc checkout` brings the recorded file back,"
            " `dvc repro` makes all that follows from it again"
        )
    return path
