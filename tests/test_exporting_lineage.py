"""What of a run's records may be handed on, and what is withheld with what."""

from collections.abc import Iterable
from dataclasses import replace

import pytest
from finished_run import TEST_INPUTS

from llm2llm.exporting.lineage import Withholding, errors, rejections, requests, responses
from llm2llm.exporting.protected import TestTexts
from llm2llm.exporting.withdrawn import Withdrawn
from llm2llm.ids import canonical_json
from llm2llm.records.errors import SeedError
from llm2llm.records.responses import Response
from llm2llm.records.screened import Rejected
from llm2llm.records.split import SplitRow

TEST = TestTexts(
    [SplitRow(f"t{n}", text, f"#### {n}", str(n), n) for n, text in enumerate(TEST_INPUTS)], 0.7
)
ERROR = SeedError("s0", 0, "wrong", "I say 3", "3", 1, False, 0, True)
REJECTED = Rejected("rq-1", "s0", 0, "Harmless words", "#### 1", "vote", "no", None, None, "v1")


def how(private: bool = False, test_seeds: Iterable[str] = ()) -> Withholding:
    """Withhold for a made-up test set."""
    return Withholding(TEST, private, set(test_seeds), Withdrawn([]))


def response(name: str = "rq-1", about: str | None = None, **changes: str | None) -> Response:
    """Make a response that tells nothing, but for what is changed."""
    sent = canonical_json({"messages": [{"role": "user", "content": "Write one."}]})
    purpose = "write" if about is None else "solve"
    row = Response(
        name, "s0", 0, purpose, about, 0, "answered", "Fine.", "stop", None, sent, "p", "t", 1, 1
    )
    return replace(row, **changes)


def test_what_tells_nothing_is_handed_on() -> None:
    """Harmless rows keep their texts."""
    assert next(rejections(0, [REJECTED], how())).input == "Harmless words"
    assert next(errors([ERROR], "c", how())).text == "I say 3"
    assert next(requests([response()], how())).request == response().request
    assert next(responses([response()], how())).text == "Fine."


def test_a_leak_takes_its_answer_and_its_solutions_with_it() -> None:
    """Once a candidate is withheld, so is what it came from and whoever was asked to solve it."""
    withholding = how()
    leak = replace(REJECTED, input=TEST_INPUTS[0].replace("cooper", "smith"))
    assert next(rejections(0, [leak], withholding)).withheld == "test"
    rows = [response("rq-1"), response("rq-2", about="rq-1"), response("rq-3")]
    sent = [row.withheld for row in requests(rows, withholding)]
    came = [row.withheld for row in responses(rows, withholding)]
    assert sent == [None, "test", None]
    assert came == ["test", "test", None]


@pytest.mark.parametrize("change", [{"text": TEST_INPUTS[1]}, {"failure": TEST_INPUTS[1]}])
def test_a_response_that_quotes_a_test_item_is_withheld(change: dict[str, str]) -> None:
    """In the answer, or in the provider's message of failure."""
    row = next(responses([response(**change)], how()))
    assert (row.text, row.failure, row.withheld) == (None, None, "test")


def test_all_about_a_seed_that_is_a_test_item_is_withheld() -> None:
    """Its wrong answers, the requests that show it and the answers to them."""
    withholding = how(test_seeds=["s0"])
    assert next(errors([ERROR], "c", withholding)).withheld == "test"
    assert next(requests([response()], withholding)).withheld == "test"
    assert next(responses([response()], withholding)).withheld == "test"


def test_a_rejection_without_target_is_withheld_by_its_input() -> None:
    """An input alone is enough to tell a test item."""
    row = replace(REJECTED, input=TEST_INPUTS[2], target=None)
    exported = next(rejections(0, [row], how()))
    assert (exported.input, exported.candidate_id, exported.withheld) == (None, None, "test")


def test_a_reason_that_quotes_an_unreadable_answer_is_withheld() -> None:
    """A row without a candidate can tell a test item by its reason only."""
    row = replace(REJECTED, input=None, target=None, gate="parse")
    assert next(rejections(0, [row], how())).reason == "no"
    told = replace(row, reason=f"found {TEST_INPUTS[3]!r}")
    assert next(rejections(0, [told], how())).reason is None


def test_private_seeds_withhold_every_text_but_keep_hashes() -> None:
    """No words of student or teacher, and no request, leave in the augmented-only form."""
    withholding = how(private=True)
    error = next(errors([ERROR], "c", withholding))
    assert (error.text, error.answer, error.withheld) == (None, None, "seed")
    assert len(error.text_sha256) == 64
    assert next(requests([response()], withholding)).request is None
    assert next(responses([response()], withholding)).text is None
    assert next(rejections(0, [REJECTED], withholding)).input is None
    nothing = response(text=None)
    assert next(responses([nothing], withholding)).withheld is None
