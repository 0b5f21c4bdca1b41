"""Balance what manifest, history and certificates of a bundle count against its rows."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from llm2llm.bundle import layout
from llm2llm.bundle.checks import Problem
from llm2llm.bundle.manifest import Manifest
from llm2llm.bundle.objects import read_object
from llm2llm.bundle.records import ExportedSeed
from llm2llm.bundle.standing import nearest_kept
from llm2llm.bundle.tallies import Tallies
from llm2llm.ids import sha256_file
from llm2llm.lineage.history import Entry, History, read_history
from llm2llm.streaming import RecordFile


def counts(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Count the rows again, as a whole, by iteration and by seed."""
    found = Tallies(folder)
    yield from _differences(layout.MANIFEST, manifest.counts.model_dump(), found.totals())
    history = read_history(folder / layout.HISTORY, manifest.set)
    n_examples = sum(1 for _ in RecordFile(folder / layout.SEEDS, ExportedSeed))
    for entry in history.iterations:
        where = f"{layout.HISTORY}, iteration {entry.iteration}"
        yield from _differences(where, _told(entry), found.of(entry.iteration))
        yield from _differences(
            where, {"set.n_examples": entry.set.n_examples}, {"set.n_examples": n_examples}
        )
        n_examples += entry.counts.kept
    if manifest.review is not None:
        yield from _differences(layout.MANIFEST, manifest.review.model_dump(), found.decisions)
    yield from _whole_set(manifest, n_examples, found)
    yield from _seeds(folder, history, found)


def certificates(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """See that each certificate is the one that the run recorded, and counts what is there."""
    path = folder / layout.HISTORY
    if sha256_file(path) != manifest.history_sha256:
        yield Problem(layout.HISTORY, "not the history that the manifest names")
    history = read_history(path, manifest.set)
    found = Tallies(folder)
    for entry in history.iterations:
        name = layout.certificate(entry.iteration)
        sha256 = sha256_file(folder / name)
        recorded = entry.files.get(
            f"data/iterations/{entry.iteration}/screened/certificate.json", "none"
        )
        if sha256 != recorded:
            yield Problem(
                name, f"SHA-256 is {sha256[:12]}..., history.json says {recorded[:12]}..."
            )
        if sha256 != manifest.certificates.get(str(entry.iteration)):
            yield Problem(name, "not the certificate that the manifest names")
        certificate = read_object(folder / name)
        told = certificate.get("counts", {})
        rows = found.of(entry.iteration)
        yield from _differences(
            name,
            {key: told.get(key) for key in ("candidates", "kept", "rejected_by_gate")},
            {
                "candidates": rows["candidates"],
                "kept": rows["kept"],
                "rejected_by_gate": rows["rejected"],
            },
        )
        others = found.gate_versions.get(entry.iteration, set()) - {certificate.get("gate_version")}
        if others:
            yield Problem(name, f"rows were screened by {', '.join(sorted(others))}")
        if "nearest_kept" in certificate:
            near = nearest_kept(folder, entry.iteration)
            if certificate["nearest_kept"] != near:
                yield Problem(
                    layout.KEPT,
                    f"iteration {entry.iteration}: its rows nearest to the test set are not those"
                    f" that {name} lists",
                )


def _told(entry: Entry) -> dict[str, Any]:
    return {
        **entry.counts.model_dump(),
        "tokens": entry.tokens.model_dump(),
        "checkpoints": {entry.checkpoint_sha256} if entry.counts.errors else set(),
    }


def _whole_set(manifest: Manifest, n_examples: int, found: Tallies) -> Iterator[Problem]:
    """Balance the set against what is handed on: seeds may be held back, examples left out."""
    held_back = found.n_seeds - found.n_seeds_held if manifest.augmented_only else 0
    withdrawn = sum(entry.examples for entry in manifest.withdrawn)
    rejected = found.decisions["reject"]
    expected = n_examples - held_back - len(manifest.left_out) - withdrawn - rejected
    if found.n_examples != expected:
        yield Problem(
            layout.DATASET,
            f"{found.n_examples} examples, expected {expected}: {n_examples} in the set less"
            f" {held_back} private seeds, {len(manifest.left_out)} left out, {withdrawn}"
            f" withdrawn and {rejected} rejected in review",
        )


def _seeds(folder: Path, history: History, found: Tallies) -> Iterator[Problem]:
    n_right: Counter[int] = Counter()
    for place, seed in enumerate(RecordFile(folder / layout.SEEDS, ExportedSeed)):
        told = {"n_requests": seed.n_requests, "n_kept": seed.n_kept}
        rows = {
            "n_requests": found.by_seed[seed.seed_id, "requests"],
            "n_kept": found.by_seed[seed.seed_id, "kept"],
        }
        yield from _differences(f"{layout.SEEDS}, row {place}", told, rows)
        n_right.update(i for i, verdict in enumerate(seed.verdicts) if verdict == "right")
    for entry in history.iterations:
        told = {"accuracy.seed.n_right": entry.accuracy["seed"].n_right}
        rows = {"accuracy.seed.n_right": n_right[entry.iteration]}
        yield from _differences(f"{layout.HISTORY}, iteration {entry.iteration}", told, rows)


def _differences(where: str, told: Mapping[str, Any], rows: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in told.items():
        if name in rows and rows[name] != value:
            yield Problem(where, f"{name}: says {value}, the rows give {rows[name]}")
