"""Draw the seed set from the raw train rows, away from the test set."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from llm2llm.exceptions import DataError
from llm2llm.ids import Json
from llm2llm.params.subsample import SubsampleParams
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.records.state import SeedState
from llm2llm.seeding import stream


@dataclass(frozen=True, slots=True)
class Split:
    """Seeds and rest, both in file order, and what was left out, by reason."""

    seed: list[SplitRow]
    rest: list[SplitRow]
    report: dict[str, Json]


def subsample(
    train: Sequence[SplitRow],
    test: Sequence[SplitRow],
    leaked: Sequence[tuple[int, str]],
    params: SubsampleParams,
    random_seed: int,
    withdrawn: Collection[str] = (),
) -> Split:
    """Split train rows into seeds and rest; `leaked` pairs a train row's index with a test id.

    Rows with a `withdrawn` id are left out after the draw, so that the other seeds stay those.
    Raises DataError for more seeds than usable rows and, unless duplicates are to be dropped,
    for rows that stand twice.
    """
    leaks = dict(leaked) if params.drop_leaked else {}
    first: dict[str, SplitRow] = {}
    duplicates: list[tuple[SplitRow, SplitRow]] = []
    usable: list[SplitRow] = []
    for index, row in enumerate(train):
        if row.example_id in first:
            duplicates.append((first[row.example_id], row))
            continue
        first[row.example_id] = row
        if index not in leaks:
            usable.append(row)
    if duplicates and params.duplicates == "fail":
        one, other = duplicates[0]
        raise DataError(
            f"{params.train}:{other.source_row}: the same row as line {one.source_row}"
            f" ({len(duplicates)} such rows); remove them, or set `subsample.duplicates: drop`"
            " in params.yaml to drop and count them"
        )
    n_seeds = _n_seeds(params, len(train))
    if n_seeds > len(usable):
        raise DataError(
            f"{params.train}: {n_seeds} seeds asked for, {len(usable)} usable rows of"
            f" {len(train)} ({len(duplicates)} duplicates, {len(leaks)} test items left out);"
            " lower `subsample.n_seeds` or `subsample.rate` in params.yaml"
        )
    chosen = set(stream(random_seed, "subsample").sample(range(len(usable)), n_seeds))
    drawn = [row for index, row in enumerate(usable) if index in chosen]
    kept = [row for row in drawn if row.example_id not in withdrawn]
    rest = [
        row
        for index, row in enumerate(usable)
        if index not in chosen and row.example_id not in withdrawn
    ]
    if not kept:
        raise DataError(
            f"{params.train}: all {len(drawn)} seeds are withdrawn by `sets.exclude` in"
            " params.yaml, expected one left at least; remove entries there"
        )
    left_out = len(train) - len(usable) - len(duplicates)
    report: dict[str, Json] = {
        "train_rows": len(train),
        "test_rows": len(test),
        "seeds": len(kept),
        "rest": len(rest),
        "duplicates_dropped": len(duplicates),
        "leaks_found": len(leaked),
        "leaks_dropped": left_out,
        "leaks": [
            {
                "source_row": train[index].source_row,
                "test_id": test_id,
                "dropped": index in leaks,
            }
            for index, test_id in leaked
        ],
    }
    if withdrawn:
        report["withdrawn"] = len(usable) - len(kept) - len(rest)
    return Split(kept, rest, report)


def _n_seeds(params: SubsampleParams, n_rows: int) -> int:
    if params.n_seeds is not None:
        return params.n_seeds
    assert params.rate is not None
    # Rounded down, as the paper's 1 % of 7,473 rows is 74; never none at all.
    return max(1, int(params.rate * n_rows + 1e-9))


def first_set(seeds: Sequence[SplitRow]) -> tuple[list[Example], list[SeedState]]:
    """Make set 0, the seeds alone, and the state of seeds to which nothing has happened."""
    examples = [
        Example(
            example_id=row.example_id,
            origin="seed",
            seed_id=row.example_id,
            input=row.input,
            target=row.target,
            iteration=None,
            error=None,
            checkpoint=None,
            request_id=None,
            prompt_sha256=None,
            teacher=None,
            gate_version=None,
        )
        for row in seeds
    ]
    return examples, [SeedState(row.example_id, [], 0, 0) for row in seeds]
