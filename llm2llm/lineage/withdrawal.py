"""See what would go if seeds, examples, prompts, teachers or test items went."""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.bundle.layout import REVIEW
from llm2llm.bundle.records import ExportedDecision
from llm2llm.files import read_json
from llm2llm.ids import sha256_file
from llm2llm.lineage.finding import newest_set
from llm2llm.lineage.run import Run, columns, count, counted_values, open_run, rows_at
from llm2llm.params.exclude import Exclusion
from llm2llm.records.examples import Example
from llm2llm.records.screened import Kept

N_LISTED = 1_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """One thing that would be withdrawn, and how many examples fit it."""

    kind: str
    id: str
    above: float | None
    n_examples: int


@dataclass(frozen=True, slots=True)
class Gone:
    """An example that would go; `score` is that with the test item it would go for."""

    example_id: str
    origin: str
    seed_id: str
    iteration: int | None
    because: str
    score: float | None


@dataclass(frozen=True, slots=True)
class Loss:
    """What an iteration (by number), a seed (by id) or a set (by number) loses, and keeps."""

    of: int | str
    n_gone: int
    n_left: int


@dataclass(frozen=True, slots=True)
class Trained:
    """A student that was trained on some of what would go; `iteration` is null for the control."""

    iteration: int | None
    checkpoint: str | None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle that holds some of it, with its archive if that is there."""

    path: str
    archive: str | None
    name: str
    version: str
    set: int
    manifest_sha256: str
    n_examples: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What would go. `examples` and `seeds` list the first thousand, the counts count all.

    `first_set` is the first one that changes; null where nothing goes.
    """

    wanted: list[Wanted]
    n_examples: int
    n_gone: int
    n_seeds_gone: int
    n_left: int
    first_set: int | None
    examples: list[Gone]
    iterations: list[Loss]
    seeds: list[Loss]
    sets: list[Loss]
    students: list[Trained]
    bundles: list[Bundle]


def withdrawal(root: Path, entries: Sequence[Exclusion]) -> Withdrawal:
    """See what of the newest set these entries withdraw, and where else it is."""
    import pyarrow.compute as pc

    run = open_run(root)
    newest = newest_set(run)
    path = run.examples(newest)
    scores = [_scores(run, newest, entry) for entry in entries]
    masks = [_mask(path, entry, near) for entry, near in zip(entries, scores, strict=True)]
    whole = masks[0]
    for mask in masks[1:]:
        whole = pc.or_(whole, mask)
    iterations = columns(path, Example, "iteration").column(0)
    by_iteration = counted_values(iterations.filter(whole))
    held = counted_values(iterations)
    first = _first_set(by_iteration)
    n_gone = sum(by_iteration.values())
    ids = columns(path, Example, "example_id").column(0).filter(whole)
    return Withdrawal(
        wanted=[
            Wanted(entry.kind, entry.id, entry.above, _n(mask))
            for entry, mask in zip(entries, masks, strict=True)
        ],
        n_examples=len(whole),
        n_gone=n_gone,
        n_seeds_gone=by_iteration.get(None, 0),
        n_left=len(whole) - n_gone,
        first_set=first,
        examples=_listed(path, whole, masks, entries, scores),
        iterations=[
            Loss(i, by_iteration[i], held[i] - by_iteration[i])
            for i in sorted(key for key in by_iteration if key is not None)
        ],
        seeds=_by_seed(columns(path, Example, "seed_id").column(0), whole),
        sets=_by_set(run, by_iteration, first),
        students=_students(run, first),
        bundles=_bundles(run, ids),
    )


def _listed(
    path: Path,
    whole: Any,
    masks: Sequence[Any],
    entries: Sequence[Exclusion],
    scores: Sequence[dict[str, float]],
) -> list[Gone]:
    import pyarrow.compute as pc

    places = pc.indices_nonzero(whole)[:N_LISTED]
    names = ("example_id", "origin", "seed_id", "iteration")
    found = []
    for row, place in zip(rows_at(path, Example, names, places), places.to_pylist(), strict=True):
        by = next(k for k, mask in enumerate(masks) if mask[place].as_py())
        found.append(Gone(**row, because=entries[by].told, score=scores[by].get(row["example_id"])))
    return found


def _scores(run: Run, newest: int, entry: Exclusion) -> dict[str, float]:
    """Map the examples nearest to an entry's test item to their scores, from its bound on."""
    import pyarrow.compute as pc

    if entry.test_item is None:
        return {}
    found: dict[str, float] = {}
    for iteration in range(newest):
        path = run.in_iteration(iteration, "screened/kept.parquet")
        near = columns(path, Kept, "example_id", "nearest_test_id", "nearest_test_score")
        near = near.filter(pc.equal(near.column("nearest_test_id"), entry.test_item))
        for row in near.to_pylist():
            score = row["nearest_test_score"] or 0.0
            if score >= (entry.above or 0.0):
                found[row["example_id"]] = score
    return found


def _mask(path: Path, entry: Exclusion, near: dict[str, float]) -> Any:
    import pyarrow.compute as pc

    if entry.test_item is not None:
        ids = columns(path, Example, "example_id").column(0)
        return pc.is_in(ids, value_set=_strings(list(near)))
    column = {
        "seed": "seed_id",
        "example": "example_id",
        "prompt": "prompt_sha256",
        "teacher": "teacher",
    }[entry.kind]
    found = columns(path, Example, column).column(0)
    return pc.fill_null(pc.equal(found, entry.id), fill_value=False)


def _n(mask: Any) -> int:
    import pyarrow.compute as pc

    return int(pc.sum(mask).as_py() or 0)


def _first_set(by_iteration: dict[int | None, int]) -> int | None:
    if None in by_iteration:
        return 0
    return min((i + 1 for i in by_iteration if i is not None), default=None)


def _by_seed(seeds: Any, whole: Any) -> list[Loss]:
    """List the seeds that lose most first."""
    lost = counted_values(seeds.filter(whole))
    shown = heapq.nsmallest(N_LISTED, lost, key=lambda name: (-lost[name], name))
    held = counted_values(_those(seeds, shown))
    return [Loss(name, lost[name], held[name] - lost[name]) for name in shown]


def _those(column: Any, names: Sequence[str]) -> Any:
    import pyarrow.compute as pc

    return column.filter(pc.is_in(column, value_set=_strings(names)))


def _strings(names: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.array(names, pa.string())


def _by_set(run: Run, by_iteration: dict[int | None, int], first: int | None) -> list[Loss]:
    if first is None:
        return []
    losses = []
    for number in run.sets():
        n_gone = sum(n for i, n in by_iteration.items() if i is None or i < number)
        if n_gone:
            losses.append(Loss(number, n_gone, count(run.examples(number), Example) - n_gone))
    return losses


def _students(run: Run, first: int | None) -> list[Trained]:
    """List the students whose sets held any of it; the control is trained on the seeds alone."""
    if first is None:
        return []
    places: list[tuple[int | None, Path]] = [
        (i, run.in_iteration(i, "student/manifest.json"))
        for i in range(first, run.n_iterations + 1)
    ]
    if first == 0:
        places.append((None, run.root / "data/control/student/manifest.json"))
    return [
        Trained(iteration, read_json(path).get("checkpoint_sha256"))
        for iteration, path in places
        if path.exists()
    ]


def _bundles(run: Run, ids: Any) -> list[Bundle]:
    """List the bundle if it holds any: in its dataset or, edited or rejected, in its review."""
    import pyarrow as pa
    import pyarrow.compute as pc

    manifest = run.exported().parent / "manifest.json"
    if not manifest.exists() or not run.exported().exists():
        return []
    chunks = columns(run.exported(), Example, "example_id").column(0).chunks
    review = manifest.parent / REVIEW
    if review.exists():
        chunks = [*chunks, *columns(review, ExportedDecision, "example_id").column(0).chunks]
    held = pa.chunked_array(chunks, pa.string()).combine_chunks()
    n_held = _n(pc.is_in(ids, value_set=held))
    if not n_held:
        return []
    told = read_json(manifest)
    archive = run.root / "data/export.tar.gz"
    return [
        Bundle(
            path=str(manifest.parent.relative_to(run.root)),
            archive=str(archive.relative_to(run.root)) if archive.exists() else None,
            name=str(told["name"]),
            version=str(told["version"]),
            set=int(told["set"]),
            manifest_sha256=sha256_file(manifest),
            n_examples=n_held,
        )
    ]
