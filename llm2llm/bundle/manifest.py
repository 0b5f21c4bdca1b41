"""manifest.json of a bundle: what it is, every file's hash, and what the counts must be."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm2llm.bundle.layout import MANIFEST, SCHEMA
from llm2llm.bundle.objects import read_object
from llm2llm.exceptions import DataError

# Of a forged number no more is made than that.
_MOST_SETS = 100_000


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class File(_Part):
    """One file; `rows` stands for tables and forms."""

    sha256: str
    bytes: int
    rows: int | None = None


class Counts(_Part):
    """How many rows there are, and how many of them without their text."""

    examples: int
    seeds: int
    augmented: int
    edited: int = 0
    kept: int
    rejected: int
    rejected_without_text: int
    errors: int
    errors_without_text: int
    requests: int
    requests_without_text: int
    responses: int
    responses_without_text: int


class LeftOut(_Part):
    """An example of the set that is not handed on, and the test item or seed that it holds."""

    example_id: str
    holds: str


class Withdrawn(_Part):
    """One thing that was withdrawn, by one of five names, and how many examples went with it."""

    seed: str | None = None
    example: str | None = None
    prompt: str | None = None
    teacher: str | None = None
    test_item: str | None = None
    above: float | None = None
    reason: str
    examples: int


class Review(_Part):
    """How many decisions of people were applied, and how many were about nothing in the set."""

    accept: int
    edit: int
    reject: int
    withdrawn: int
    not_in_set: int


class Manifest(_Part):
    """The whole file; `set` is the number of the exported set."""

    schema_: int
    name: str
    version: str
    set: Annotated[int, Field(ge=0, le=_MOST_SETS)]
    augmented_only: bool
    formats: list[str]
    counts: Counts
    files: dict[str, File]
    set_sha256: str
    history_sha256: str
    certificates: dict[str, str]
    left_out: list[LeftOut]
    withdrawn: list[Withdrawn] = []
    review: Review | None = None


def read_manifest(folder: Path) -> Manifest:
    """Read a bundle's manifest; raises DataError where it cannot be one of this schema."""
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; expected the folder of a bundle, whose manifest is written"
            " last: without it the bundle is not whole; get it again"
        )
    values = read_object(path)
    schema = values.get("schema")
    if schema != SCHEMA:
        raise DataError(
            f"{path}: field schema: found {schema!r}, this version of llm2llm reads {SCHEMA};"
            " install the version that wrote the bundle, or a newer one"
        )
    try:
        return Manifest.model_validate({**values, "schema_": schema})
    except ValidationError as failure:
        first = failure.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: field {where}: {first['msg'].lower()}; get it again") from None
