"""Compare two sets, runs or bundles: examples, params, accuracies."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.lineage.run import columns, counted_values, rows_at
from llm2llm.lineage.sides import Score, Side, side
from llm2llm.records.examples import Example

N_LISTED = 1_000
_MISSING = "not there"


@dataclass(frozen=True, slots=True)
class Other:
    """An example that one side alone has."""

    example_id: str
    origin: str
    seed_id: str
    iteration: int | None


@dataclass(frozen=True, slots=True)
class Changed:
    """What the same request about the same seed brought on either side, where that differs."""

    request_id: str
    seed_id: str
    before: list[str]
    after: list[str]


@dataclass(frozen=True, slots=True)
class ParamChange:
    """One value of params or task file, `not there` where a side lacks it."""

    key: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class Scores:
    """What student `iteration` got right on either side; null where it is not known."""

    iteration: int
    a: Score | None
    b: Score | None


@dataclass(frozen=True, slots=True)
class Difference:
    """How b differs from a. Lists hold the first thousand, the counts count all.

    An example that is `changed` is neither added nor removed. `params` is null where a side is a
    set alone.
    """

    a: str
    b: str
    kinds: list[str]
    sets: list[int]
    n_examples: list[int]
    n_same: int
    n_added: int
    n_removed: int
    n_changed: int
    added_by_iteration: dict[str, int]
    removed_by_iteration: dict[str, int]
    added: list[Other]
    removed: list[Other]
    changed: list[Changed]
    params: list[ParamChange] | None
    scores: list[Scores]


def compare(root: Path, given_a: str, given_b: str) -> Difference:
    """Compare what two names mean, seen from the project in `root`."""
    a, b = side(root, given_a), side(root, given_b)
    ids = [columns(each.examples, Example, "example_id").column(0) for each in (a, b)]
    removed, added = _apart(*ids)
    n_same = len(ids[0]) - len(removed)
    changed, removed, added = _pair(a, removed, b, added)
    return Difference(
        a=a.name,
        b=b.name,
        kinds=[a.kind, b.kind],
        sets=[a.set, b.set],
        n_examples=[len(column) for column in ids],
        n_same=n_same,
        n_added=len(added),
        n_removed=len(removed),
        n_changed=len(changed),
        added_by_iteration=_by_iteration(b, added),
        removed_by_iteration=_by_iteration(a, removed),
        added=_listed(b, added),
        removed=_listed(a, removed),
        changed=changed[:N_LISTED],
        params=_params(a, b),
        scores=[
            Scores(i, a.scores.get(i), b.scores.get(i)) for i in sorted({*a.scores, *b.scores})
        ],
    )


def _apart(a: Any, b: Any) -> tuple[Any, Any]:
    """Give the places of ids that one column alone has.

    Ids at equal places are passed over first: sets of one run grow at their end, and to look up a
    million ids takes longer than all else.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    n = min(len(a), len(b))
    differ = pc.indices_nonzero(pc.not_equal(a.slice(0, n), b.slice(0, n)))
    places = [
        pa.concat_arrays([differ.cast(pa.int64()), pa.array(np.arange(n, len(each)), pa.int64())])
        for each in (a, b)
    ]
    left, right = (each.take(place) for each, place in zip((a, b), places, strict=True))
    return (
        places[0].filter(_absent(left, right)),
        places[1].filter(_absent(right, left)),
    )


def _absent(ids: Any, others: Any) -> Any:
    import pyarrow.compute as pc

    return pc.invert(pc.is_in(ids, value_set=others.combine_chunks())).combine_chunks()


def _pair(a: Side, only_a: Any, b: Side, only_b: Any) -> tuple[list[Changed], Any, Any]:
    """Part what one request brought otherwise from what is there on one side alone."""
    if not len(only_a) or not len(only_b):
        return [], only_a, only_b
    names = ("example_id", "seed_id", "request_id")
    sides: list[dict[str, list[dict[str, Any]]]] = []
    for each, places in ((a, only_a), (b, only_b)):
        by_request: dict[str, list[dict[str, Any]]] = {}
        for place, row in zip(
            places.to_pylist(), rows_at(each.examples, Example, names, places), strict=True
        ):
            if row["request_id"] is not None:
                by_request.setdefault(row["request_id"], []).append({**row, "place": place})
        sides.append(by_request)
    both = [name for name in sides[0] if name in sides[1]]
    changed = [
        Changed(
            name,
            sides[0][name][0]["seed_id"],
            *([row["example_id"] for row in rows[name]] for rows in sides),
        )
        for name in both
    ]
    rest = [
        _without(places, {row["place"] for name in both for row in found[name]})
        for places, found in zip((only_a, only_b), sides, strict=True)
    ]
    return changed, rest[0], rest[1]


def _without(places: Any, paired: set[int]) -> Any:
    import pyarrow as pa

    return pa.array([place for place in places.to_pylist() if place not in paired], pa.int64())


def _by_iteration(of: Side, places: Any) -> dict[str, int]:
    if not len(places):
        return {}
    iterations = columns(of.examples, Example, "iteration").column(0).take(places)
    counted = counted_values(iterations)
    ordered = sorted(counted.items(), key=lambda pair: -1 if pair[0] is None else pair[0])
    return {"seeds" if i is None else str(i): n for i, n in ordered}


def _listed(of: Side, places: Any) -> list[Other]:
    names = ("example_id", "origin", "seed_id", "iteration")
    return [Other(**row) for row in rows_at(of.examples, Example, names, places[:N_LISTED])]


def _params(a: Side, b: Side) -> list[ParamChange] | None:
    if a.params is None or b.params is None:
        return None
    left, right = dict(_leaves(a.params, "")), dict(_leaves(b.params, ""))
    return [
        ParamChange(key, left.get(key, _MISSING), right.get(key, _MISSING))
        for key in dict.fromkeys([*left, *right])
        if left.get(key, _MISSING) != right.get(key, _MISSING)
    ]


def _leaves(values: Mapping[str, Any], before: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and value:
            found += _leaves(value, f"{name}.")
        elif not (key == "exclude" and value == []):
            # A bundle leaves out lists that withdraw nothing.
            found.append((name, value))
    return [pair for pair in found if pair[0] not in ("teacher_batch.replay", "sets")]
