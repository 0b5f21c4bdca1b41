"""Compare files, tables, rows and forms of a bundle with its manifest and their own ids."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llm2llm.bundle import layout
from llm2llm.bundle.checks import Problem
from llm2llm.bundle.forms import first_difference
from llm2llm.bundle.manifest import Manifest
from llm2llm.bundle.records import (
    ExportedError,
    ExportedRejection,
    ExportedRequest,
    ExportedResponse,
)
from llm2llm.exceptions import DataError
from llm2llm.ids import example_id, sha256_file
from llm2llm.records.examples import Example
from llm2llm.streaming import RecordFile

_LINEAGE = ("iteration", "checkpoint", "request_id", "prompt_sha256", "gate_version")


def files(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Compare each file's bytes with its hash; a file on one side only is a problem too."""
    found = {
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    } - {layout.MANIFEST}
    for name in sorted(manifest.files.keys() | found):
        if name not in found:
            yield Problem(name, "missing; the manifest lists it")
        elif name not in manifest.files:
            yield Problem(name, "the manifest does not list it")
        elif (sha256 := sha256_file(folder / name)) != manifest.files[name].sha256:
            yield Problem(
                name,
                f"SHA-256 is {sha256[:12]}..., the manifest says"
                f" {manifest.files[name].sha256[:12]}...: a byte was changed",
            )
    yield from _wanted(manifest)
    yield from _croissant(folder, manifest)


def _wanted(manifest: Manifest) -> Iterator[Problem]:
    names = [*layout.TABLES, layout.CARD, layout.CROISSANT, layout.HISTORY, layout.PARAMS]
    names += [layout.FORMS[form] for form in manifest.formats if form in layout.FORMS]
    names += [layout.certificate(i) for i in range(manifest.set)]
    for name in names:
        if name not in manifest.files:
            yield Problem(layout.MANIFEST, f"{name} is not listed, and belongs to every bundle")


def _croissant(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    described = json.loads((folder / layout.CROISSANT).read_text(encoding="utf-8"))
    for entry in described.get("distribution", []):
        name = entry.get("contentUrl")
        listed = manifest.files.get(name)
        if listed is None or listed.sha256 != entry.get("sha256"):
            yield Problem(layout.CROISSANT, f"its hash of {name} is not the manifest's")


def tables(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Compare each table's columns with its record, and its rows with the manifest's number."""
    for name, record in layout.TABLES.items():
        try:
            n_rows = len(RecordFile(folder / name, record))
        except (DataError, OSError) as failure:
            yield Problem(name, str(failure))
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
        if row.origin not in ("seed", "augmented"):
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
    for form in manifest.formats:
        name = layout.FORMS.get(form)
        if name is None:
            continue
        examples: Any = RecordFile(folder / layout.DATASET, Example)
        different = first_difference(folder / name, form, examples)
        if different is not None:
            line, known = different
            rather = f"expected {known} of {layout.DATASET}" if known else "no example is left"
            yield Problem(name, f"line {line}: {rather}")
