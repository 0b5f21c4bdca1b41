"""Merging: nothing is lost, doubled or invented."""

from dataclasses import replace
from pathlib import Path

import pytest

from llm2llm.exceptions import CountError
from llm2llm.files import write_records
from llm2llm.ids import Json
from llm2llm.merging import Iteration, history_entry, merge
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.predictions import Prediction
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.state import SeedState
from llm2llm.streaming import RecordFile

SEEDS = [
    Example(f"s{i}", "seed", f"s{i}", f"in {i}", "1", None, None, None, None, None, None, None)
    for i in range(3)
]
STATES = [SeedState(f"s{i}", ["wrong"], 1, 0) for i in range(3)]
PREDICTIONS = [
    Prediction("seed", "s0", "7", "7", "wrong", False, 1),
    Prediction("seed", "s1", "1", "1", "right", False, 1),
    Prediction("seed", "s2", "?", None, "unparsable", False, 1),
    Prediction("test", "t0", "1", "1", "right", False, 1),
]
ERRORS = [
    SeedError("s0", 1, "wrong", "7", "7", 2, False, 1, True),
    SeedError("s2", 1, "unparsable", "?", None, 2, False, 1, True),
]


def response(request_id: str, seed_id: str, status: str = "answered") -> Response:
    """Make a response with three tokens."""
    failure = None if status == "answered" else "content policy"
    return Response(
        request_id,
        seed_id,
        1,
        "write",
        None,
        1,
        status,
        "{}",
        "stop",
        failure,
        "{}",
        "p",
        "t",
        2,
        3,
    )


RESPONSES = [response("r0", "s0"), response("r2", "s2"), response("r3", "s2", "failed")]
KEPT = [Kept("x0", "s0", "r0", "new", "1", "v1", None, None, None, None)]
REJECTED = [Rejected("r2", "s2", 0, None, None, "parse", "no JSON", None, None, "v1")]
DONE = Iteration(1, "c1", PREDICTIONS, ERRORS, RESPONSES, KEPT, REJECTED)


def test_a_kept_example_carries_its_whole_lineage() -> None:
    """Seed, iteration, wrong text, checkpoint, request, teacher and gate stand in the example."""
    found, states = merge(SEEDS, STATES, DONE)
    merged = list(found)
    assert merged[:3] == SEEDS
    assert merged[3] == Example(
        "x0", "augmented", "s0", "new", "1", 1, "7", "c1", "r0", "p", "t", "v1"
    )
    assert states == [
        SeedState("s0", ["wrong", "wrong"], 2, 1),
        SeedState("s1", ["wrong", "right"], 1, 0),
        SeedState("s2", ["wrong", "unparsable"], 3, 0),
    ]


def test_files_are_merged_as_lists_are(tmp_path: Path) -> None:
    """Rows read a batch at a time give the same set, states and history."""
    rows = {
        "predictions": (Prediction, PREDICTIONS),
        "errors": (SeedError, ERRORS),
        "responses": (Response, RESPONSES),
        "kept": (Kept, KEPT),
        "rejected": (Rejected, REJECTED),
    }
    files = {}
    for name, (record, values) in rows.items():
        write_records(tmp_path / f"{name}.parquet", record, values)
        files[name] = RecordFile(tmp_path / f"{name}.parquet", record)
    write_records(tmp_path / "examples.parquet", Example, SEEDS)
    done = replace(DONE, **files)
    merged, states = merge(RecordFile(tmp_path / "examples.parquet", Example), STATES, done)
    expected, expected_states = merge(SEEDS, STATES, DONE)
    assert (list(merged), states) == (list(expected), expected_states)
    assert history_entry(3, "h", {}, done) == history_entry(3, "h", {}, DONE)


def test_a_set_with_a_doubled_example_is_not_merged() -> None:
    """An example that stands twice already is named, though nothing is added."""
    done = Iteration(1, "c1", PREDICTIONS, [], [], [], [])
    with pytest.raises(CountError, match="example s0 would stand twice"):
        merge([*SEEDS, SEEDS[0]], STATES, done)


def test_nothing_to_add_changes_no_example() -> None:
    """With no error and no response the set passes through as it is."""
    done = Iteration(1, "c1", PREDICTIONS, [], [], [], [])
    assert list(merge(SEEDS, STATES, done)[0]) == SEEDS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"responses": RESPONSES[1:]}, "responses are there for 1"),
        ({"responses": [*RESPONSES, RESPONSES[0]]}, "share"),
        ({"responses": [*RESPONSES, response("r9", "s1", "failed")]}, "differing: s1"),
        ({"rejected": []}, "screening accounts for 1"),
        ({"kept": [replace(KEPT[0], request_id="r3")]}, "differing"),
        ({"kept": [replace(KEPT[0], seed_id="s2")]}, "is not of seed s2"),
        ({"kept": [KEPT[0], KEPT[0]]}, "would stand twice"),
        ({"kept": [replace(KEPT[0], example_id="s1")]}, "would stand twice"),
        ({"kept": [replace(KEPT[0], request_id="r9")]}, "differing: r0, r9"),
        ({"predictions": PREDICTIONS[1:]}, "not of this set's seeds"),
        ({"predictions": [PREDICTIONS[1], PREDICTIONS[0], *PREDICTIONS[2:]]}, "in their order"),
    ],
)
def test_counts_that_do_not_balance_stop_the_merge(change: dict, message: str) -> None:
    """A lost, doubled or foreign row of any kind is a CountError."""
    with pytest.raises(CountError, match=message):
        merge(SEEDS, STATES, replace(DONE, **change))


def test_history_counts_what_happened() -> None:
    """The entry's counts and accuracies are those of the files, parse rows not being candidates."""
    entry = history_entry(3, "h", {"f": "1"}, DONE)
    assert entry["counts"] == {
        "errors": 2, "asked": 2, "requests": 3, "answered": 2, "failed": 1, "solves": 0,
        "candidates": 1, "kept": 1, "rejected": {"parse": 1},
    }  # fmt: skip
    assert entry["accuracy"] == {
        "seed": {"n": 3, "n_right": 1, "n_unparsable": 1},
        "dev": {"n": 0, "n_right": 0, "n_unparsable": 0},
        "test": {"n": 1, "n_right": 1, "n_unparsable": 0},
    }
    assert entry["tokens"] == {"prompt": 6, "completion": 9}


def test_unknown_token_counts_stay_unknown() -> None:
    """Where a teacher reports no tokens the sum is null, not zero."""
    silent = [replace(r, n_prompt_tokens=None, n_completion_tokens=None) for r in RESPONSES]
    entry = history_entry(3, "h", {}, replace(DONE, responses=silent))
    assert entry["tokens"] == {"prompt": None, "completion": None}


def test_the_judges_requests_stand_in_the_history() -> None:
    """They are no rows of responses.parquet, so the certificate's counts are taken over."""
    tokens: dict[str, Json] = {"prompt": 5, "completion": 2}
    judge = {"asked": 2, "answers": {"no": 2}, "requests": 4, "tokens": tokens, "cleared": ["x"]}
    entry = history_entry(3, "h", {}, replace(DONE, judge=judge))
    assert entry["judge"] == {name: judge[name] for name in judge if name != "cleared"}
    assert entry["tokens"] == {"prompt": 6, "completion": 9}
    assert "judge" not in history_entry(3, "h", {}, DONE)
