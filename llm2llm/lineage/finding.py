"""Find what an id, or the start of one, names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.exceptions import DataError
from llm2llm.ids import example_id
from llm2llm.lineage.run import Run, columns, rows
from llm2llm.records.examples import Example
from llm2llm.records.screened import Rejected
from llm2llm.records.split import SplitRow

_REJECTED = "screened/rejected.parquet"
_N_SHOWN = 5
_MAX_DISTANCE = 6  # of the 19 characters of an id: beyond that a neighbor is chance


@dataclass(frozen=True, slots=True)
class RejectedCandidate:
    """A rejected candidate with the content id it would have had, and its iteration."""

    candidate_id: str
    iteration: int
    row: Rejected


@dataclass(frozen=True, slots=True)
class HeldExample:
    """An example of the newest set, and its place there."""

    example_id: str
    place: int


def find_example(run: Run, given: str) -> HeldExample | RejectedCandidate:
    """Find the example of the newest set, else the rejected candidate, that `given` names.

    `given` is an id or a unique start of one, with or without `ex-`; or that of the request
    (`rq-`) that one thing alone came of. Candidates rejected more than once are found where they
    were rejected first. Raises DataError where nothing or more than one thing fits.
    """
    number = newest_set(run)
    given = cleaned(given)
    if given.startswith("rq-"):
        given = _of_request(run, number, given)
    held = _places_like(run.examples(number), given)
    if name := only(given, [name for name, _ in held]):
        return HeldExample(name, dict(held)[name])
    places = _rejected_places(run)
    if name := only(given, [name for name in places if _fits(name, given)]):
        iteration, request_id, position = places[name]
        path = run.in_iteration(iteration, _REJECTED)
        row = rows(path, Rejected, request_id=request_id, position=position)[0]
        return RejectedCandidate(name, iteration, row)
    refuse_other_rows(run, given)
    ids = columns(run.examples(number), Example, "example_id").column(0).to_pylist()
    raise DataError(
        f"{given}: no example of set {number} and no rejected candidate has this id;"
        f" {nearest(given, [*ids, *places])}"
    )


def parent_of_edit(run: Run, given: str, parents: Mapping[str, str]) -> str | None:
    """Name the example of which `given` names a person's edit; null: it names none.

    Raises DataError where it is the start of an edit's id and of another one.
    """
    given = cleaned(given)
    edited = [name for name in parents if _fits(name, given)]
    if not edited:
        return None
    number = newest_set(run)
    held = [name for name, _ in _places_like(run.examples(number), given)]
    name = only(given, [*held, *edited])
    return None if name is None else parents.get(name)


def find_seed(run: Run, given: str) -> SplitRow:
    """Find the seed that `given` names; raises DataError where nothing or more than one fits."""
    given = cleaned(given)
    path = run.split("seed")
    ids = columns(path, SplitRow, "example_id").column(0).to_pylist()
    name = only(given, [each for each in ids if _fits(each, given)])
    if name is not None:
        return rows(path, SplitRow, example_id=name)[0]
    refuse_other_rows(run, given)
    numbers = run.sets()
    if numbers and (held := _places_like(run.examples(numbers[-1]), given)):
        raise DataError(
            f"{given}: an augmented example, not a seed; `llm2llm explain {held[0][0]}` names its"
            " seed"
        )
    raise DataError(f"{given}: no seed has this id; {nearest(given, ids)}")


def cleaned(given: str) -> str:
    """Write an id as ids are written: in small letters, without spaces around it."""
    return given.strip().lower()


def newest_set(run: Run) -> int:
    """Give the number of the newest set; raises DataError where there is none."""
    numbers = run.sets()
    if not numbers:
        raise DataError(
            f"{run.examples(0)}: no such file, so there are no examples yet; `dvc repro` makes them"
        )
    return numbers[-1]


def _of_request(run: Run, number: int, given: str) -> str:
    """Name what came of the request that `given` is, or starts."""
    import pyarrow.compute as pc

    found = columns(run.examples(number), Example, "example_id", "request_id")
    found = found.filter(pc.starts_with(found.column("request_id"), given))
    pairs = list(zip(found["request_id"].to_pylist(), found["example_id"].to_pylist(), strict=True))
    for name, (_, request_id, _) in _rejected_places(run).items():
        if request_id.startswith(given):
            pairs.append((request_id, name))
    if only(given, sorted({request_id for request_id, _ in pairs})) is None:
        raise DataError(
            f"{given}: no example and no rejected candidate came of a request of this id;"
            " `llm2llm explain EXAMPLE` names an example's request"
        )
    names = sorted({name for request_id, name in pairs if request_id.startswith(given)})
    if len(names) > 1:
        raise DataError(
            f"{given}: {len(names)} candidates came of this request; ask about one of"
            f" {', '.join(names)}"
        )
    return str(names[0])


def content_id(row: Rejected) -> str | None:
    """Name a rejected candidate by its content; null where none was parsed."""
    if row.input is None or row.target is None:
        return None
    return example_id(row.input, row.target)


def _rejected_places(run: Run) -> dict[str, tuple[int, str, int]]:
    """Map content ids to the iteration, request and position where each was first rejected."""
    places: dict[str, tuple[int, str, int]] = {}
    for iteration in range(run.n_iterations):
        path = run.in_iteration(iteration, _REJECTED)
        if not path.exists():
            continue
        found = columns(path, Rejected, "input", "target", "request_id", "position")
        for text, target, request_id, position in _tuples(found):
            if text is not None and target is not None:
                places.setdefault(example_id(text, target), (iteration, request_id, position))
    return places


def _tuples(table: Any) -> Iterable[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _places_like(path: Path, given: str) -> list[tuple[str, int]]:
    """List the examples whose ids start as given, each with its place in the file."""
    import pyarrow.compute as pc

    ids = columns(path, Example, "example_id").column(0)
    starts = pc.starts_with(ids, "ex-" + given.removeprefix("ex-"))
    places = pc.indices_nonzero(starts)
    return list(zip(ids.take(places).to_pylist(), places.to_pylist(), strict=True))


def _fits(name: str, given: str) -> bool:
    return name.startswith("ex-" + given.removeprefix("ex-"))


def only(given: str, fitting: Sequence[str]) -> str | None:
    """Pick the id meant; an id that is the start of another one still names itself."""
    for whole in (given, "ex-" + given):
        if whole in fitting:
            return whole
    if len(fitting) > 1:
        shown = ", ".join(sorted(fitting)[:_N_SHOWN])
        raise DataError(
            f"{given}: {len(fitting)} ids start so: {shown}"
            f"{', ...' if len(fitting) > _N_SHOWN else ''}; give more of the one you mean"
        )
    return fitting[0] if fitting else None


def refuse_other_rows(run: Run, given: str) -> None:
    """Raise DataError where the id is of a row that no student was trained on."""
    for split in ("test", "dev", "rest"):
        path = run.split(split)
        if not path.exists():
            continue
        for name, source_row in _tuples(columns(path, SplitRow, "example_id", "source_row")):
            if name == given or name == "ex-" + given:
                raise DataError(
                    f"{given}: row {source_row} of the {split} data, which no student was trained"
                    " on; seeds and augmented examples can be asked about"
                )


def nearest(given: str, ids: Iterable[str], start: str = "ex-") -> str:
    """Name the ids that were probably meant, else a few of those there are."""
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    known = list(ids)
    wanted = given if given.startswith(start) else start + given
    # What was given may be the start of an id alone, so that only so much of each is compared.
    starts = [name[: len(wanted)] for name in known]
    cutoff = min(_MAX_DISTANCE, max(1, (len(wanted) - len(start)) // 4))
    near = process.extract(
        wanted, starts, scorer=Levenshtein.distance, score_cutoff=cutoff, limit=3
    )
    if near:
        return f"nearest: {', '.join(known[place] for _, _, place in near)}"
    shown = ", ".join(sorted(known)[:3])
    return f"there are {len(known)}, such as {shown}" if known else "there are none"
