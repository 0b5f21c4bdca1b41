"""Verify a bundle from its own files alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from llm2llm.bundle import contents, layout, links, sums
from llm2llm.bundle.checks import Check, Problem, run_check
from llm2llm.bundle.manifest import Manifest, read_manifest
from llm2llm.bundle.retesting import Retest, retest
from llm2llm.ids import sha256_file

_CHECKS: dict[str, tuple[str, Callable[[Path, Manifest], Iterator[Problem]]]] = {
    "files": ("every file is there, with the bytes that the manifest names", contents.files),
    "schemas": ("every table has its columns and its number of rows", contents.tables),
    "rows": ("ids and hashes are those of their texts", contents.rows),
    "forms": ("every form holds the examples of the dataset, line by line", contents.forms),
    "lineage": ("every parent of every row is in the bundle", links.links),
    "counts": ("manifest and history count what is there", sums.counts),
    "certificates": (
        "each is the one that the run recorded, and its counts hold",
        sums.certificates,
    ),
}


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and found; `retest` is null where no test file was given.

    With `retest_left_out` one was given and not compared, as the bundle itself does not hold.
    """

    name: str
    version: str
    schema: int
    set: int
    augmented_only: bool
    manifest_sha256: str
    n_examples: int
    checks: list[Check]
    retest: Retest | None
    retest_left_out: bool
    passed: bool


def verify(
    folder: Path,
    test: Path | None = None,
    input_field: str | None = None,
    target_field: str | None = None,
) -> Verified:
    """Run all checks of a bundle and, with a test file and if they pass, the leakage gates.

    Raises DataError where there is no bundle, or no test file, that could be read.
    """
    manifest = read_manifest(folder)
    checks = [
        run_check(name, about, check(folder, manifest)) for name, (about, check) in _CHECKS.items()
    ]
    holds = not any(check.n_problems for check in checks)
    again = retest(folder, test, input_field, target_field) if test is not None and holds else None
    return Verified(
        name=manifest.name,
        version=manifest.version,
        schema=layout.SCHEMA,
        set=manifest.set,
        augmented_only=manifest.augmented_only,
        manifest_sha256=sha256_file(folder / layout.MANIFEST),
        n_examples=manifest.counts.examples,
        checks=checks,
        retest=again,
        retest_left_out=test is not None and not holds,
        passed=holds and (again is None or again.n_leaks == 0),
    )
