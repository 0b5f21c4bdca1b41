"""Compare files, tables, rows and forms of a bundle with its manifest and their own ids."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llm2llm.bundle import layout
from llm2llm.bundle.checks import Problem, for_receivers
from llm2llm.bundle.forms import first_difference
from llm2llm.bundle.manifest import Manifest
from llm2llm.bundle.objects import read_object
from llm2llm.bundle.records import (
    ExportedError,
    ExportedRejection,
    ExportedRequest,
    ExportedResponse,
)
from llm2llm.bundle.reviewed import decisions
from llm2llm.exceptions import DataError
from llm2llm.ids import example_id, sha256_file
from llm2llm.records.examples import Example
from llm2llm.streaming import RecordFile

_LINEAGE = ("iteration", "checkpoint", "request_id", "prompt_sha256", "gate_version")


def files(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Compare each file's bytes with its hash; a file on one side only is a problem too."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    found = {name for name in found if not layout.beside(name)} - {layout.MANIFEST}
    for name in sorted(manifest.files.keys() | found):
        listed = manifest.files.get(name)
        if name not in found:
            yield Problem(name, "missing; the manifest lists it")
        elif listed is None:
            yield Problem(name, "the manifest does not list it")
        elif not layout.belongs(name):
            yield Problem(name, "no file of a bundle, though the manifest lists it")
        elif (sha256 := sha256_file(folder / name)) != listed.sha256:
            yield Problem(
                name,
                f"SHA-256 is {sha256[:12]}..., the manifest says {listed.sha256[:12]}...: a byte"
                " was changed",
            )
        elif (n_bytes := (folder / name).stat().st_size) != listed.bytes:
            yield Problem(name, f"{n_bytes} bytes, the manifest says {listed.bytes}")
    yield from _wanted(manifest)
    yield from _named_alike(folder, manifest)
    yield from _croissant(folder, manifest)


def _wanted(manifest: Manifest) -> Iterator[Problem]:
    names = [*layout.TABLES, layout.CARD, layout.CROISSANT, layout.HISTORY, layout.PARAMS]
    names += [layout.FORMS[form] for form in manifest.formats if form in layout.FORMS]
    names.append(layout.DATASET_INFO)
    for name in names:
        if name not in manifest.files:
            yield Problem(layout.MANIFEST, f"{name} is not listed, and belongs to every bundle")
    if (layout.REVIEW in manifest.files) != (manifest.review is not None):
        yield Problem(
            layout.MANIFEST, f"review: counted without {layout.REVIEW}, or this without its counts"
        )
    n_listed = sum(name.startswith("certificates/") for name in manifest.files)
    if n_listed != manifest.set:
        yield Problem(
            layout.MANIFEST,
            f"{n_listed} certificates are listed, expected one for each of the {manifest.set}"
            " iterations",
        )


def _named_alike(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Compare what the manifest says of the whole with the params that it was made by."""
    asked = read_object(folder / layout.PARAMS)["export"]
    for name in ("name", "version", "augmented_only", "formats"):
        if getattr(manifest, name) != asked.get(name):
            yield Problem(
                layout.MANIFEST,
                f"{name}: says {getattr(manifest, name)!r}, {layout.PARAMS} {asked.get(name)!r}",
            )


def _croissant(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    described = read_object(folder / layout.CROISSANT)
    told = {each.get("contentUrl"): each.get("sha256") for each in described["distribution"]}
    # The card is written after it, and itself it cannot hash.
    expected = manifest.files.keys() - {layout.CROISSANT, layout.CARD}
    for name in sorted(expected | told.keys(), key=str):
        listed = manifest.files.get(name)
        if listed is None or listed.sha256 != told.get(name):
            yield Problem(layout.CROISSANT, f"its hash of {name} is not the manifest's")


def tables(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Compare each table's columns with its record, and its rows with the manifest's number."""
    for name, record in layout.ALL_TABLES.items():
        if name not in layout.TABLES and name not in manifest.files:
            continue
        try:
            n_rows = len(RecordFile(folder / name, record))
        except (DataError, OSError) as failure:
            yield Problem(name, for_receivers(failure))
            continue
        listed = manifest.files.get(name)
        if listed is not None and listed.rows != n_rows:
            yield Problem(name, f"{n_rows} rows, the manifest says {listed.rows}")


def rows(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Compute again every id and hash that stands beside its text."""
    yield from _examples(folder, manifest)
    for place, error in enumerate(RecordFile(folder / layout.ERRORS, ExportedError)):
        yield from _hashed(layout.ERRORS, place, error.text, error.text_sha256, error.withheld)
    for place, request in enumerate(RecordFile(folder / layout.REQUESTS, ExportedRequest)):
        expected = request.request_id.removeprefix("rq-")
        yield from _hashed(layout.REQUESTS, place, request.request, expected, request.withheld)
    for place, response in enumerate(RecordFile(folder / layout.RESPONSES, ExportedResponse)):
        yield from _hashed(
            layout.RESPONSES, place, response.text, response.text_sha256, response.withheld
        )
    if manifest.review is not None:
        yield from decisions(folder)
    for place, row in enumerate(RecordFile(folder / layout.REJECTED, ExportedRejection)):
        if row.input is None or row.target is None:
            continue
        if row.withheld is not None:
            yield Problem(layout.REJECTED, f"row {place}: withheld, and yet its text stands there")
        if example_id(row.input, row.target) != row.candidate_id:
            yield Problem(layout.REJECTED, f"row {place}: its text is not that of its candidate_id")


def _examples(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    for place, row in enumerate(RecordFile(folder / layout.DATASET, Example)):
        where = f"row {place}, {row.example_id}"
        if example_id(row.input, row.target) != row.example_id:
            yield Problem(layout.DATASET, f"{where}: input and target are not those of this id")
        if row.origin not in ("seed", "augmented", "edited"):
            yield Problem(layout.DATASET, f"{where}: origin is {row.origin!r}")
        set_ = {name for name in _LINEAGE if getattr(row, name) is not None}
        if set_ != (set() if row.origin == "seed" else set(_LINEAGE)):
            yield Problem(layout.DATASET, f"{where}: origin {row.origin} with {sorted(set_)} set")
        if row.origin == "seed" and (row.example_id != row.seed_id or manifest.augmented_only):
            yield Problem(layout.DATASET, f"{where}: a seed that cannot stand here")


def _hashed(
    name: str, place: int, text: str | None, expected: str | None, withheld: str | None
) -> Iterator[Problem]:
    if text is None:
        if withheld is None and expected is not None:
            yield Problem(name, f"row {place}: the text is missing, and not said to be withheld")
    elif withheld is not None:
        yield Problem(name, f"row {place}: withheld, and yet its text stands there")
    elif hashlib.sha256(text.encode()).hexdigest() != expected:
        yield Problem(name, f"row {place}: the text's SHA-256 is not the one beside it")


def forms(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Make each line of each form again from the dataset's rows."""
    examples: Any = RecordFile(folder / layout.DATASET, Example)
    for form, name in layout.FORMS.items():
        listed = manifest.files.get(name)
        if form not in manifest.formats:
            if listed is not None:
                yield Problem(name, "listed, though it is none of the manifest's formats")
            continue
        different = first_difference(folder / name, form, examples)
        if different is not None:
            line, known = different
            rather = f"expected {known} of {layout.DATASET}" if known else "no example is left"
            yield Problem(name, f"line {line}: {rather}")
        elif listed is not None and listed.rows != len(examples):
            yield Problem(name, f"{len(examples)} rows, the manifest says {listed.rows}")
