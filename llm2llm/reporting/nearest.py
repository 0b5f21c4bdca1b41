"""What came closest to the test set, stopped or kept, beside the test item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm2llm.exceptions import DataError
from llm2llm.ids import example_id
from llm2llm.lineage.finished import Finished
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow
from llm2llm.reporting.differing import Piece, differing

_AGAINST_TRAINING = "duplicate"  # the one gate whose references are training examples
_ALSO_TARGET = "coverage"  # the one gate that looks at the target too
_MAX_CHARACTERS = 4_000  # comparing words costs up to the square of the length


@dataclass(frozen=True, slots=True)
class Pair:
    """A candidate and its test item, in pieces; `gate` stopped it, null where it was kept."""

    iteration: int
    candidate_id: str
    seed_id: str
    gate: str | None
    score: float | None
    test_id: str
    candidate: Sequence[Piece]
    test: Sequence[Piece]


def stopped(
    finished: Finished, tests: Mapping[str, SplitRow], n_wanted: int
) -> tuple[int, list[Pair]]:
    """Count the candidates that gates against the test set stopped; pair those of highest score."""
    found = [
        (iteration, row)
        for iteration, rows in enumerate(finished.rejected)
        for row in rows
        if row.reference_id is not None and row.gate != _AGAINST_TRAINING
    ]
    found.sort(key=lambda pair: (-(pair[1].score or 0.0), pair[1].request_id, pair[1].position))
    return len(found), [_pair(i, row, row.reference_id, tests) for i, row in found[:n_wanted]]


def closest(finished: Finished, tests: Mapping[str, SplitRow], n_wanted: int) -> list[Pair]:
    """Pair the kept examples that come closest to a test item, the closest first."""
    found = [
        (iteration, row)
        for iteration, rows in enumerate(finished.kept)
        for row in rows
        if row.nearest_test_score
    ]
    found.sort(key=lambda pair: (-(pair[1].nearest_test_score or 0.0), pair[1].example_id))
    return [_pair(i, row, row.nearest_test_id, tests) for i, row in found[:n_wanted]]


def _pair(
    iteration: int, row: Kept | Rejected, test_id: str | None, tests: Mapping[str, SplitRow]
) -> Pair:
    if test_id is None or test_id not in tests:
        raise DataError(
            f"data/split/test.parquet: found no item {test_id}, which screening of iteration"
            f" {iteration} names; `dvc repro` (or `dvc checkout`) brings the two together"
        )
    text, gate, score = row.input or "", None, None
    if isinstance(row, Kept):
        name, score = row.example_id, row.nearest_test_score
    else:
        name, gate, score = example_id(text, row.target or ""), row.gate, row.score
        if gate == _ALSO_TARGET:
            text = f"{text}\n\n{row.target}"
    candidate, test = differing(text[:_MAX_CHARACTERS], tests[test_id].input[:_MAX_CHARACTERS])
    return Pair(iteration, name, row.seed_id, gate, score, test_id, candidate, test)
