"""Claims about what the judge is asked: each test item that is near once, and by what settings."""

from pathlib import Path
from typing import Any

import pytest
from screening_inputs import TEST, row
from teacher_server import completion, refusing_url, serving
from test_judging import GREY, NO, YES, judge_params, judged, texts_of
from test_leakage_embedding import letters
from test_teacher_openai import openai_params

from llm2llm.exceptions import TeacherError
from llm2llm.judging import Judge
from llm2llm.leakage.embedding import EmbeddingGate
from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.gates import N_GREY
from llm2llm.leakage.page import readable
from llm2llm.records.split import SplitRow

# The words of GREY, more and more of them replaced: each is further from it than the one before.
_WORDS = GREY.split()[::-1]
NEAR = [
    row(" ".join([*(f"other{i}" for i in range(n)), *_WORDS[n:]]), number=10 + n)
    for n in (3, 4, 5, 6)
]
FAR_ITEM = TEST[2]


def shown_with(server: Any, candidate: str) -> list[str]:
    """List the test items that a candidate was shown beside."""
    shown = [texts_of(body) for body in server.bodies]
    return [each["reference"] for each in shown if each["candidate"] == candidate]


def opinion(about: SplitRow | None) -> Any:
    """Say yes to planted leaks and to one test item, no to the others."""

    def script(body: dict[str, Any], _number: int) -> Any:
        shown = texts_of(body)
        is_planted = shown["candidate"] != GREY
        is_it = about is not None and shown["reference"] == about.input
        return completion(YES if is_planted or is_it else NO)

    return script


@pytest.mark.parametrize("place", range(N_GREY))
def test_a_leak_of_an_item_that_is_not_the_nearest_is_found(place: int, tmp_path: Path) -> None:
    """Each of the nearest test items is asked about; one that is not cleared rejects, by name."""
    with serving(opinion(NEAR[place])) as server:
        result = judged(judge_params(server.url), tmp_path, GREY, test=[*NEAR, FAR_ITEM])
        assert sorted(shown_with(server, GREY)) == sorted(item.input for item in NEAR[:N_GREY])
    [rejected] = result.rejected
    assert (rejected.gate, rejected.reference_id) == ("judge", NEAR[place].example_id)
    told: Any = result.certificate["judge"]
    assert (told["asked"], told["answers"]["yes"], told["cleared"]) == (1, 1, [])


def test_what_lies_further_down_is_said(tmp_path: Path) -> None:
    """The certificate counts the pairs that were not asked about, and lists those that were."""
    with serving(opinion(None)) as server:
        result = judged(judge_params(server.url), tmp_path, GREY, test=[*NEAR, FAR_ITEM])
    assert [kept.input for kept in result.kept] == [GREY]
    told: Any = result.certificate["judge"]
    assert told["pairs"] == {"asked": N_GREY, "not_asked": 1}
    assert [each["reference_id"] for each in told["cleared"]] == [
        item.example_id for item in NEAR[:N_GREY]
    ]
    gaps = " ".join(map(str, result.certificate["not_checked"]))  # type: ignore[arg-type]
    assert "1 pairs of a candidate and a test item within the judge's band" in gaps
    assert f"each with up to {N_GREY} test items" in readable(result.certificate)


def test_a_test_item_that_stands_twice_takes_one_place() -> None:
    """Repeats of a near test item do not hide the next one; a match names the first of them."""
    same = "red apples stall"
    inputs = [same, same, "red apples market", same, "birds fly"]
    gate = EmbeddingGate.of(inputs, letters, "abc", None)
    [near] = gate.near([Text(same, "")], 0.5, 2)
    assert [match.reference for match in near.matches] == [0, 2]
    assert near.n_beyond == 0
    assert gate.nearest([Text(same, "")]) == [Match(0, 1.0)]
    [near] = gate.near([Text(same, "")], 0.5, 1)
    assert (near.matches, near.n_beyond) == ((Match(0, 1.0),), 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": 0.5},
        {"top_p": 0.5},
        {"max_tokens": 100},
        {"response_format": "json_object"},
        {"base_url": "http://127.0.0.1:2/v1"},
        {"extra_body": {"x": 1}},
        {"random_seed": 3},
    ],
    ids=lambda changes: next(iter(changes)),
)
@pytest.mark.parametrize("backend", ["openai", "openai-batch"])
def test_how_the_judge_is_asked_is_in_the_settings(backend: str, changes: dict[str, Any]) -> None:
    """Each value that may change an answer changes the settings, so the gate version too."""
    hashes = set()
    for each in ({}, changes):
        section = openai_params("http://127.0.0.1:1/v1", **each).model_dump()
        more = {"max_requests_per_batch": 9, "max_bytes_per_batch": 9999}
        batch = section | more | {"max_enqueued_tokens": None, "completion_window": "24h"}
        given = judge_params(
            "http://127.0.0.1:1/v1", backend=backend, openai=section, openai_batch=batch
        ).judging
        assert given is not None
        settings = Judge(given, lambda: pytest.fail("asked"), masked=True).settings
        hashes.add(str(settings["identity_sha256"]))
    assert len(hashes) == 2


def test_a_miss_names_candidate_and_test_item(tmp_path: Path) -> None:
    """A pair is no seed: the message names the two texts that it is of."""
    given = judge_params(refusing_url(), replay=True)
    with pytest.raises(TeacherError, match=r"\(candidate ex-\w+ beside test item ex-\w+, judge"):
        judged(given, tmp_path, GREY)
