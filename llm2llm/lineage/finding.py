"""Find what an id, or the start of one, names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llm2llm.exceptions import DataError
from llm2llm.ids import example_id
from llm2llm.lineage.run import Run, rows, scan
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


def find_example(run: Run, given: str) -> str | RejectedCandidate:
    """Find the example of the newest set, else the rejected candidate, that `given` names.

    `given` is an id or a unique start of one, with or without `ex-`. Candidates rejected more
    than once are found where they were rejected first. Raises DataError where nothing or more
    than one thing fits.
    """
    numbers = run.sets()
    if not numbers:
        raise DataError(
            f"{run.examples(0)}: no such file, so there are no examples yet; `dvc repro` makes them"
        )
    held = _ids_like(run, numbers[-1], given)
    if name := _only(given, held):
        return name
    places = _rejected_places(run)
    if name := _only(given, [name for name in places if _fits(name, given)]):
        iteration, request_id, position = places[name]
        path = run.in_iteration(iteration, _REJECTED)
        row = rows(path, Rejected, request_id=request_id, position=position)[0]
        return RejectedCandidate(name, iteration, row)
    _refuse_other_rows(run, given)
    ids = scan(run.examples(numbers[-1]), Example).select("example_id").collect()["example_id"]
    everything = [*ids, *places]
    raise DataError(
        f"{given}: no example of set {numbers[-1]} and no rejected candidate has this id;"
        f" {_nearest(given, everything)}"
    )


def find_seed(run: Run, given: str) -> SplitRow:
    """Find the seed that `given` names; raises DataError where nothing or more than one fits."""
    frame = scan(run.split("seed"), SplitRow).collect()
    ids = frame["example_id"].to_list()
    name = _only(given, [each for each in ids if _fits(each, given)])
    if name is not None:
        return SplitRow(**frame.row(ids.index(name), named=True))
    _refuse_other_rows(run, given)
    numbers = run.sets()
    if numbers and (held := _ids_like(run, numbers[-1], given)):
        raise DataError(
            f"{given}: an augmented example, not a seed; `llm2llm explain {held[0]}` names its seed"
        )
    raise DataError(f"{given}: no seed has this id; {_nearest(given, ids)}")


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
        found = scan(path, Rejected).select("input", "target", "request_id", "position").collect()
        for text, target, request_id, position in found.iter_rows():
            if text is not None and target is not None:
                places.setdefault(example_id(text, target), (iteration, request_id, position))
    return places


def _ids_like(run: Run, number: int, given: str) -> list[str]:
    import polars as pl

    name = pl.col("example_id")
    starts = name.str.starts_with(given) | name.str.starts_with("ex-" + given)
    found = scan(run.examples(number), Example).filter(starts).select("example_id").collect()
    return found["example_id"].to_list()


def _fits(name: str, given: str) -> bool:
    return name.startswith((given, "ex-" + given))


def _only(given: str, fitting: Sequence[str]) -> str | None:
    """Pick the id meant; an id that is the start of another one still names itself."""
    if given in fitting:
        return given
    if len(fitting) > 1:
        shown = ", ".join(sorted(fitting)[:_N_SHOWN])
        raise DataError(
            f"{given}: {len(fitting)} ids start so: {shown}"
            f"{', ...' if len(fitting) > _N_SHOWN else ''}; give more of the one you mean"
        )
    return fitting[0] if fitting else None


def _refuse_other_rows(run: Run, given: str) -> None:
    """Say so where the id is of a row that no student was trained on."""
    for split in ("test", "dev", "rest"):
        path = run.split(split)
        if not path.exists():
            continue
        for name, source_row in (
            scan(path, SplitRow).select("example_id", "source_row").collect().iter_rows()
        ):
            if name == given or name == "ex-" + given:
                raise DataError(
                    f"{given}: row {source_row} of the {split} data, which no student was trained"
                    " on; seeds and augmented examples can be asked about"
                )


def _nearest(given: str, ids: Iterable[str]) -> str:
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    known = list(ids)
    wanted = given if given.startswith("ex-") else "ex-" + given
    near = process.extract(
        wanted,
        known,
        scorer=Levenshtein.distance,
        score_cutoff=_MAX_DISTANCE,
        limit=3,
    )
    if near:
        return f"nearest: {', '.join(name for name, _, _ in near)}"
    shown = ", ".join(sorted(known)[:3])
    return f"there are {len(known)}, such as {shown}" if known else "there are none"
