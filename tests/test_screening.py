"""Claims about screening as a whole, and its stage."""

import dataclasses
import json
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from screening_inputs import MASKED, TEST, params, response, row, seed

from llm2llm.exceptions import CountError, LeakageCheckError
from llm2llm.files import read_json, read_records, write_records
from llm2llm.ids import sha256_json
from llm2llm.leakage.coverage import CoverageGate
from llm2llm.leakage.exact import ExactGate
from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.page import readable
from llm2llm.leakage.rouge import RougeGate
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow
from llm2llm.screening import Screened, screen
from llm2llm.tasks.sections import AnswerFormat, LeakagePolicy, ResponseFormat, Validity
from llm2llm.validity import Criteria

ROOT = Path(__file__).parent.parent
SEED = seed("Ann ate 3 of 9 plums. How many plums are left?", "9-3=<<9-3=6>>6\n#### 6")
FORMATS: dict[str, Any] = {
    "criteria": Criteria(
        ResponseFormat(kind="json", input="question", target="answer", pattern=None),
        AnswerFormat(kind="number", pattern=r"####[ \t]*([^\n]*)", labels=None),
        Validity(max_input_chars=300, max_target_chars=300, arithmetic=True, same_answer=False),
    ),
    "policy": MASKED,
}
TARGET = "8-2=<<8-2=6>>6\n#### 6"
GOOD = "Eight birds sat on a wire until 2 of them flew off; count those that stayed behind."


def answer(question: str, target: str = TARGET) -> str:
    """Write a response."""
    return json.dumps({"question": question, "answer": target})


def screened(responses: list[Response], **changed: Any) -> Screened:
    """Screen responses to one seed."""
    given = {"examples": [SEED], "test": TEST, "rest": [], "params": params()} | FORMATS | changed
    return screen(responses, on_progress=lambda *_: None, **given)


def gates_of(result: Screened) -> list[str]:
    """List the gates of the rejected rows."""
    return [rejected.gate for rejected in result.rejected]


@pytest.mark.parametrize(
    ("text", "gate", "reason"),
    [
        ("Sorry.", "parse", "no JSON object"),
        (None, "parse", "empty"),
        (answer("\u200b!\u0301 " * 100), "validity", "the input has 399 characters"),
        (answer("\u200b\u2060"), "validity", "no visible text"),
        (answer(GOOD, "no result"), "validity", "no number can be read"),
        (answer(GOOD, "8-2=<<8-2=5>>5\n#### 5"), "validity", ""),
        (answer(TEST[2].input), "exact", "is a test item"),
        (answer(f"Now then. {TEST[1].input} Thanks."), "coverage", "n-grams"),
        (answer(SEED.input.upper()), "validity", "its seed's, word for word"),
        (answer(SEED.input.replace("left?", "left now?")), "duplicate", "nearly repeats"),
    ],
)
def test_each_rejection_names_its_gate(text: str | None, gate: str, reason: str) -> None:
    """What stops a candidate stands in its row, with the reference where there is one."""
    result = screened([response(SEED, text, 1)])
    [rejected] = result.rejected
    assert (result.kept, rejected.gate) == ([], gate)
    assert reason in rejected.reason
    assert (rejected.reference_id is None) == (gate in ("parse", "validity"))
    assert rejected.gate_version == result.certificate["gate_version"]


def test_an_example_of_the_set_is_not_taken_again() -> None:
    """A candidate equal to an example that another seed gave is a duplicate of that one."""
    other = seed(GOOD, TARGET)
    [rejected] = screened([response(SEED, answer(GOOD), 1)], examples=[SEED, other]).rejected
    assert (rejected.gate, rejected.reason) == ("duplicate", "is an example already")
    assert rejected.reference_id == other.example_id


def solution(about: str, draw: int, text: str | None) -> Response:
    """Make a response that solves what the request `about` brought."""
    made = response(SEED, text, 100 + draw, "answered" if text is not None else "failed")
    return dataclasses.replace(made, purpose="solve", about=about, draw=draw)


@pytest.mark.parametrize(
    ("answers", "kept"),
    [
        (["#### 6", "#### 6.0", "#### 5"], True),
        (["#### 6", "#### 5", "#### 5"], False),
        (["#### 6", None, "no idea"], False),
        (["#### 6", "#### 5"], False),
        ([], True),
    ],
    ids=["two of three", "one of three", "no vote counts against", "a tie", "no vote was held"],
)
def test_solutions_outvote_a_candidate(answers: list[str | None], kept: bool) -> None:
    """More than half of the solutions must give the candidate's answer, where there are any."""
    votes = [solution("rq-1", draw, text) for draw, text in enumerate(answers)]
    result = screened([response(SEED, answer(GOOD), 1), *votes])
    assert len(result.kept) == kept
    assert gates_of(result) == ([] if kept else ["vote"])


def test_a_cut_off_response_is_not_read() -> None:
    """What looks whole may still lack its end when the endpoint says that it was cut off."""
    cut = dataclasses.replace(response(SEED, answer(GOOD), 1), finish_reason="length")
    [rejected] = screened([cut]).rejected
    assert (rejected.gate, rejected.input) == ("parse", None)
    assert "cut off" in rejected.reason


def test_kept_rows_name_their_nearest() -> None:
    """A candidate that passes is kept with its nearest test item and training example."""
    result = screened([response(SEED, answer(GOOD), 1)])
    [kept] = result.kept
    assert (kept.seed_id, kept.request_id, kept.input) == (SEED.example_id, "rq-1", GOOD)
    assert kept.nearest_test_id in {item.example_id for item in TEST}
    assert kept.nearest_train_id == SEED.example_id
    assert 0 < (kept.nearest_test_score or 0) < 0.8


def test_first_in_request_order_wins_and_rejected_ones_are_no_reference() -> None:
    """Of two equal candidates the first is kept; a leak does not make the next a duplicate."""
    leak = answer(TEST[0].input)
    result = screened(
        [
            response(SEED, leak, 1),
            response(SEED, leak, 2),
            response(SEED, answer(GOOD), 3),
            response(SEED, answer(GOOD + "!"), 4),
        ]
    )
    assert gates_of(result) == ["exact", "exact", "duplicate"]
    assert [kept.request_id for kept in result.kept] == ["rq-3"]
    assert result.rejected[2].reference_id == result.kept[0].example_id


def test_classification_keeps_the_seeds_target_and_answer() -> None:
    """With `same_answer` a candidate whose answer is not its seed's is invalid."""
    hum = seed("Who was Galileo ?", "HUM")
    labels = AnswerFormat(kind="label", pattern=None, labels=["HUM", "NUM"])
    lax = Validity(max_input_chars=99, max_target_chars=9, arithmetic=False, same_answer=True)
    reads = ResponseFormat(kind="json", input="question", target="answer", pattern=None)
    result = screened(
        [
            response(hum, answer("Who painted it ?", "HUM"), 1),
            response(hum, answer("How tall was the man ?", "NUM"), 2),
            response(hum, answer("Which day was it ?", "DAY"), 3),
        ],
        examples=[hum],
        criteria=Criteria(reads, labels, lax),
    )
    assert [kept.target for kept in result.kept] == ["HUM"]
    assert gates_of(result) == ["validity", "validity"]
    keep = ResponseFormat(kind="json", input="question", target=None, pattern=None)
    [kept] = screened(
        [response(hum, '{"question": "Who sang it ?"}', 1)],
        examples=[hum],
        criteria=Criteria(keep, labels, lax),
    ).kept
    assert kept.target == "HUM"


TEXTS = st.sampled_from(
    [
        None, "", "nothing", answer(GOOD), answer(GOOD, "x"), answer(TEST[0].input),
        answer(SEED.input, SEED.target), f"[{answer(GOOD)}, {answer('Why is 6 more than 2?')}]",
    ]
)  # fmt: skip


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["answered", "failed"])), max_size=8))
def test_nothing_is_lost_or_doubled(drawn: list[tuple[str | None, str]]) -> None:
    """Every answered response has an outcome, failed ones have none, and all counts add up."""
    responses = [response(SEED, text, n, status) for n, (text, status) in enumerate(drawn)]
    result = screened(responses)
    outcomes = [*result.kept, *result.rejected]
    answered = {r.request_id for r in responses if r.status == "answered"}
    assert {outcome.request_id for outcome in outcomes} == answered
    positions = Counter((r.request_id, r.position) for r in result.rejected)
    assert not positions or max(positions.values()) == 1
    counts: Any = result.certificate["counts"]
    assert counts["candidates"] == counts["kept"] + counts["rejected_candidates"]
    assert counts["kept"] == len(result.kept)
    assert sum(counts["rejected_by_gate"].values()) == len(result.rejected)
    assert counts["unparsable_responses"] == gates_of(result).count("parse")
    assert len({kept.example_id for kept in result.kept}) == len(result.kept)


def test_no_responses_are_certified_too() -> None:
    """A pass-through has no rows, and a certificate whose planted leaks were found."""
    result = screened([])
    assert (result.kept, result.rejected) == ([], [])
    gates: Any = result.certificate["gates"]
    assert [gate["planted_leaks"]["recall"] for gate in gates] == [1.0] * 4


def test_counts_that_do_not_balance_are_refused() -> None:
    """A request answered twice, or for a seed that is not in the set, stops the stage."""
    with pytest.raises(CountError, match="rq-1 was answered 2 times"):
        screened([response(SEED, answer(GOOD), 1), response(SEED, answer(GOOD), 1)])
    with pytest.raises(CountError, match="is not in the set"):
        screened([response(seed("other", "#### 1"), answer(GOOD), 1)])


def test_a_gate_that_raises_lets_nothing_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure inside a gate is not swallowed."""

    def broken(self: object, texts: object, at_least: float) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(CoverageGate, "nearest", broken)
    with pytest.raises(ZeroDivisionError):
        screened([response(SEED, answer(GOOD), 1)])


def test_certificate_holds_ids_and_no_test_text() -> None:
    """Thresholds, the test set's hash and nearest survivors are there; no test item's words are."""
    rest = [row(f"Sum {n} up with {n + 1}, please.") for n in range(250)]
    result = screened(
        [response(SEED, answer(GOOD), 1), response(SEED, answer(TEST[0].input), 2)], rest=rest
    )
    certificate: Any = result.certificate
    text = json.dumps(certificate)
    assert not any(word in text for word in ("apples", "train travels", "cholesterol"))
    assert certificate["test_set"]["n_items"] == 3
    assert certificate["test_set"]["sha256"] == sha256_json([item.example_id for item in TEST])
    assert certificate["nearest_kept"][0]["example_id"] == result.kept[0].example_id
    assert certificate["counts"]["rejected_by_gate"] == {"exact": 1}
    rouge = certificate["gates"][2]
    assert (rouge["gate"], rouge["cut_is"], rouge["calibration"]["rows"]) == (
        "rouge", "calibrated", 250,
    )  # fmt: skip
    assert any("Paraphrases" in gap for gap in certificate["not_checked"])


def test_certificate_says_that_a_templated_task_goes_unmasked() -> None:
    """The masked gate that is off is named among what was not checked."""
    templated = LeakagePolicy(masked=True, templated=True)
    certificate: Any = screened([], policy=templated).certificate
    assert any("templated" in gap for gap in certificate["not_checked"])
    assert [gate["gate"] for gate in certificate["gates"]] == ["exact", "coverage", "rouge"]


@pytest.mark.parametrize("off", ["exact", "coverage", "rouge", "masked", "duplicate"])
def test_certificate_says_which_gate_is_switched_off(off: str) -> None:
    """Each gate that is off is named among what was not checked."""
    gates = [name for name in ("exact", "coverage", "rouge", "masked", "duplicate") if name != off]
    certificate: Any = screened([], params=params(gates=gates)).certificate
    [told] = [gap for gap in certificate["not_checked"] if "switched off" in gap]
    assert f"`{off}`" in told


def test_without_the_duplicate_gate_only_equal_examples_are_rejected() -> None:
    """Switched off, near-duplicates are kept; the same example is never in a set twice."""
    gates = ["exact", "coverage", "rouge", "masked"]
    near = answer(SEED.input.replace("left?", "left now?"))
    responses = [response(SEED, near, 1), response(SEED, near, 2)]
    result = screened(responses, params=params(gates=gates))
    assert ([kept.request_id for kept in result.kept], gates_of(result)) == (
        ["rq-1"],
        ["duplicate"],
    )


def test_the_page_tells_what_the_certificate_holds() -> None:
    """The readable page has each gate, each gap, the nearest survivor and the counts."""
    rest = [row(f"Sum {n} up with {n + 1}, please.") for n in range(250)]
    for responses in ([], [response(SEED, answer(GOOD), 1), response(SEED, "no", 2)]):
        certificate: Any = screened(responses, rest=rest).certificate
        page = readable(certificate)
        for gate in certificate["gates"]:
            assert f"| {gate['gate']} | {gate['rejected_from']:g} |" in page
        assert all(f"- {gap}" in page for gap in certificate["not_checked"])
        assert certificate["test_set"]["sha256"] in page
        assert f"{len(responses) - len(responses) // 2} candidates" in page
        assert all(row["example_id"] in page for row in certificate["nearest_kept"])
    assert "1 responses could not be read" in page and "Rejected for other reasons: 1 parse" in page


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project folder with what the stage reads, and stand in it."""
    monkeypatch.chdir(tmp_path)
    task = ROOT / "llm2llm/tasks/gsm8k.yaml"
    settings = {
        "task": str(task),
        "dedupe_against_test": params().model_dump(),
        "sets": {"exclude": []},
    }
    Path("params.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    write_records(Path("data/split/test.parquet"), SplitRow, TEST)
    write_records(Path("data/split/rest.parquet"), SplitRow, [])
    write_records(Path("data/sets/0/examples.parquet"), Example, [SEED])
    responses = [response(SEED, answer(GOOD), 1), response(SEED, answer(TEST[0].input), 2)]
    write_records(Path("data/iterations/0/responses.parquet"), Response, responses)
    return tmp_path


def stage(iteration: int) -> None:
    """Run the stage script's main function."""
    runpy.run_path(str(ROOT / "stages/dedupe_against_test.py"))["main"](iteration)


def test_stage_writes_equal_bytes_for_equal_inputs(project: Path) -> None:
    """The stage writes kept, rejected and certificate; a second run writes the same bytes."""
    folder = project / "data/iterations/0/screened"
    stage(0)
    assert len(read_records(folder / "kept.parquet", Kept)) == 1
    assert len(read_records(folder / "rejected.parquet", Rejected)) == 1
    assert "# Leakage certificate" in (folder / "certificate.md").read_text(encoding="utf-8")
    assert read_json(folder / "certificate.json")["counts"]["candidates"] == 2
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    stage(0)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first


@pytest.mark.parametrize(
    ("name", "gate"),
    [("exact", ExactGate), ("coverage", CoverageGate), ("rouge", RougeGate), ("masked", RougeGate)],
)
def test_planted_leaks_stop_the_stage_of_a_broken_gate(
    project: Path, name: str, gate: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gate, made to find only items that are as they were, stops the stage; none is written.

    Its own index finds every item: nothing but the planted leaks can tell.
    """
    whole = gate.nearest
    as_they_are = {item.input for item in TEST}

    def blind(self: Any, texts: list[Text], at_least: float) -> list[Match | None]:
        found = whole(self, texts, at_least)
        if self.name != name:
            return list(found)
        return [m if t.input in as_they_are else None for t, m in zip(texts, found, strict=True)]

    monkeypatch.setattr(gate, "nearest", blind)
    with pytest.raises(LeakageCheckError, match=f"gate {name}: found 0 of"):
        stage(0)
    assert not (project / "data/iterations/0/screened").exists()


def test_stage_writes_nothing_where_it_cannot_check(project: Path) -> None:
    """With an empty test set there is no screened folder, not even a partial one."""
    write_records(Path("data/split/test.parquet"), SplitRow, [])
    with pytest.raises(LeakageCheckError, match="no rows"):
        stage(0)
    assert [path.name for path in (project / "data/iterations/0").iterdir()] == [
        "responses.parquet"
    ]
