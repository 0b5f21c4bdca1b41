"""Drawing the seed set."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.exceptions import DataError
from llm2llm.ids import example_id
from llm2llm.params.subsample import SubsampleParams
from llm2llm.records.split import SplitRow
from llm2llm.subsampling import first_set, subsample


def row(name: str, line: int) -> SplitRow:
    """Make a row whose content is its name."""
    return SplitRow(example_id(name, "1"), name, "1", "1", line)


def params(**changes: object) -> SubsampleParams:
    """Make params with some values changed."""
    values = {
        "train": "train.jsonl", "test": "test.jsonl", "dev": "none.jsonl", "n_seeds": 2,
        "rate": None, "duplicates": "fail", "drop_leaked": True,
    }  # fmt: skip
    return SubsampleParams.model_validate(values | changes)


TRAIN = [row(f"q{i}", i + 1) for i in range(20)]
TEST = [row("t", 1)]


@given(st.integers(1, 20), st.integers(0, 99))
def test_every_row_goes_to_one_place(n_seeds: int, random_seed: int) -> None:
    """Seeds and rest together are all rows, none twice, both in file order."""
    split = subsample(TRAIN, TEST, [], params(n_seeds=n_seeds), random_seed)
    assert len(split.seed) == n_seeds
    assert sorted([*split.seed, *split.rest], key=lambda r: r.source_row) == TRAIN
    assert split.seed == sorted(split.seed, key=lambda r: r.source_row)


def test_the_draw_depends_on_the_random_seed_only() -> None:
    """The same random_seed draws the same seeds, another one others."""
    draws = [tuple(subsample(TRAIN, TEST, [], params(n_seeds=5), s).seed) for s in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def test_a_rate_is_rounded_down() -> None:
    """1 % of 7,473 rows is 74 seeds and 2 % is 149, as in the paper; never none."""
    rows = [row(f"q{i}", i + 1) for i in range(7473)]
    sizes = [
        len(subsample(rows, TEST, [], params(n_seeds=None, rate=rate), 1).seed)
        for rate in (0.01, 0.02, 0.00001)
    ]
    assert sizes == [74, 149, 1]


def test_leaked_rows_are_dropped_and_counted() -> None:
    """A train row that is a test item is no seed and no rest row, and is in the report."""
    leaked = [(3, "ex-t")]
    split = subsample(TRAIN, TEST, leaked, params(n_seeds=19), 1)
    assert TRAIN[3] not in [*split.seed, *split.rest]
    assert split.report["leaks"] == [{"source_row": 4, "test_id": "ex-t", "dropped": True}]
    kept = subsample(TRAIN, TEST, leaked, params(n_seeds=20, drop_leaked=False), 1)
    assert (kept.report["leaks_found"], kept.report["leaks_dropped"]) == (1, 0)


def test_duplicates_stop_or_are_counted() -> None:
    """Equal rows are told with both lines, or dropped and counted where that was asked for."""
    rows = [*TRAIN, row("q4", 21), row("q4", 22)]
    with pytest.raises(DataError, match=r"train.jsonl:21: the same row as line 5 \(2 such rows\)"):
        subsample(rows, TEST, [], params(), 1)
    split = subsample(rows, TEST, [], params(duplicates="drop"), 1)
    assert split.report["duplicates_dropped"] == 2
    assert len(split.seed) + len(split.rest) == 20


def test_counts_of_leaks_and_duplicates_do_not_mix() -> None:
    """A duplicate of a leaked row counts once as a leak and once as a duplicate."""
    rows = [*TRAIN, row("q3", 21)]
    split = subsample(rows, TEST, [(3, "t"), (20, "t")], params(duplicates="drop"), 1)
    assert (split.report["leaks_dropped"], split.report["duplicates_dropped"]) == (1, 1)
    assert len(split.seed) + len(split.rest) == 19


def test_more_seeds_than_rows_is_told() -> None:
    """Asking for more seeds than there are names both numbers."""
    with pytest.raises(DataError, match="21 seeds asked for, 20 usable rows"):
        subsample(TRAIN, TEST, [], params(n_seeds=21), 1)


@pytest.mark.parametrize(
    "changes", [{"rate": 0.1}, {"n_seeds": None}, {"n_seeds": 0}, {"n_seeds": None, "rate": 1.1}]
)
def test_sizes_that_make_no_sense_are_refused(changes: dict[str, object]) -> None:
    """Both sizes, none, zero and more than all are refused."""
    with pytest.raises(ValueError, match=r"n_seeds|rate"):
        params(**changes)


def test_set_0_is_the_seeds() -> None:
    """Set 0 holds the seeds, without lineage, and a blank state for each."""
    examples, states = first_set(TRAIN[:2])
    assert [(e.origin, e.seed_id, e.request_id) for e in examples] == [
        ("seed", r.example_id, None) for r in TRAIN[:2]
    ]
    assert [(s.seed_id, s.verdicts, s.n_requests) for s in states] == [
        (r.example_id, [], 0) for r in TRAIN[:2]
    ]
