"""What must not leave: test items as a whole, inside, escaped or rewritten."""

from dataclasses import replace

import pytest
from finished_run import TEST_INPUTS
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.exceptions import LeakageCheckError
from llm2llm.exporting.contained import MIN_CONTAINED, ContainedTexts, keys
from llm2llm.exporting.examples import LeftOut, handed_on
from llm2llm.exporting.protected import SeedTexts, TestTexts
from llm2llm.exporting.reviewed import Review
from llm2llm.exporting.withdrawn import Withdrawn
from llm2llm.leakage.normalize import exact_keys
from llm2llm.records.examples import Example
from llm2llm.records.screened import Rejected
from llm2llm.records.split import SplitRow
from llm2llm.reviewing.edits import Reviewed


def items() -> list[SplitRow]:
    """Make a small test set."""
    return [SplitRow(f"t{n}", text, f"#### {n}", str(n), n) for n, text in enumerate(TEST_INPUTS)]


def seed(name: str, text: str) -> Example:
    """Make a seed with this input."""
    return Example(name, "seed", name, text, "#### 1", *([None] * 7))


@given(st.text(st.characters(max_codepoint=127)) | st.text())
def test_the_short_way_to_a_key_gives_the_exact_gates_keys(text: str) -> None:
    """For any text, ASCII or not, what is compared is what screening compares."""
    assert keys(text) == list(dict.fromkeys(exact_keys(text)))


@pytest.mark.parametrize("before", range(12))
@pytest.mark.parametrize("length", range(MIN_CONTAINED, MIN_CONTAINED + 11))
def test_a_long_text_is_found_wherever_it_stands(before: int, length: int) -> None:
    """From 24 letters on, at every offset and with any number of letters after it."""
    wanted = "abcdefghijklmnopqrstuvwxyz0123456789"[:length]
    texts = ContainedTexts(["zzz", wanted])
    for after in range(12):
        assert texts.find("-" * 5 + "x" * before + wanted + "y" * after) == 1
    assert texts.find("x" * before + wanted[:-1] + "!" + "q" * 30) is None


def test_a_short_text_is_found_as_a_whole_only() -> None:
    """A label in a sentence is no test item; the label alone is."""
    texts = ContainedTexts(["What is UN?"], ["a label"])
    assert texts.find("what is  un") == 0
    assert texts.find("Tell me: what is UN?") is None
    assert texts.find("a label") is None


def test_a_seed_that_is_or_holds_a_test_item_is_left_out_and_listed() -> None:
    """Case, spaces and punctuation do not hide it, nor do words around it."""
    hidden = seed("s1", TEST_INPUTS[2].upper().replace(",", " ;"))
    around = seed("s2", f"Now this. {TEST_INPUTS[1]} And then?")
    left_out: list[LeftOut] = []
    kept = handed_on(
        [seed("s0", "Harmless words"), hidden, around],
        TestTexts(items(), 0.7),
        None,
        left_out,
        Withdrawn([]),
        Review(Reviewed({}, None)),
    )
    assert [example.example_id for example in kept] == ["s0"]
    assert left_out == [LeftOut("s1", "t2"), LeftOut("s2", "t1")]


def test_an_augmented_test_item_stops_everything() -> None:
    """If screening let a test item through, nothing is exported."""
    leaked = replace(seed("a1", TEST_INPUTS[2]), origin="augmented", gate_version="v1")
    with pytest.raises(LeakageCheckError, match="it is or holds test item t2"):
        list(
            handed_on(
                [leaked],
                TestTexts(items(), 0.7),
                None,
                [],
                Withdrawn([]),
                Review(Reviewed({}, None)),
            )
        )


def test_an_example_that_quotes_a_private_seed_is_left_out() -> None:
    """In the augmented-only form seeds are dropped, and what holds one is listed."""
    private = seed("s0", "A private matter that nobody but its owner should ever read")
    quoting = replace(seed("a1", f"Think of this: {private.input}!"), origin="augmented")
    free = replace(seed("a2", "Something else altogether"), origin="augmented", error="x")
    left_out: list[LeftOut] = []
    kept = handed_on(
        [private, quoting, free],
        TestTexts(items(), 0.7),
        SeedTexts([(private.example_id, private.input)]),
        left_out,
        Withdrawn([]),
        Review(Reviewed({}, None)),
    )
    assert [(example.example_id, example.error) for example in kept] == [("a2", None)]
    assert left_out == [LeftOut("a1", "s0")]


def test_a_wrong_answer_that_quotes_a_test_item_is_withheld() -> None:
    """The example stays; what the student said does not."""
    example = replace(seed("a1", "Words"), origin="augmented", error=f"hm, {TEST_INPUTS[0]}")
    assert (
        next(
            handed_on(
                [example],
                TestTexts(items(), 0.7),
                None,
                [],
                Withdrawn([]),
                Review(Reviewed({}, None)),
            )
        ).error
        is None
    )


def test_without_a_test_set_nothing_can_be_called_clean() -> None:
    """An empty test set is no reason to hand everything on."""
    with pytest.raises(LeakageCheckError, match="no rows"):
        TestTexts([], 0.7)


@pytest.mark.parametrize(
    ("text", "target", "reason", "leaves"),
    [
        ("A baker sells six loaves an hour; how many in a day?", "#### 144", "144 is not 6", True),
        (TEST_INPUTS[3].replace("bellfounder", "potter"), "#### 1", "wrong", False),
        ("Read this: " + TEST_INPUTS[3] + " And then " + "more " * 60, "#### 1", "x", False),
        ("A baker sells loaves", TEST_INPUTS[1], "wrong", False),
        ("A baker sells loaves", "#### 1", f"found {TEST_INPUTS[1]!r}", False),
    ],
)
def test_only_texts_far_from_every_test_item_leave(
    text: str, target: str, reason: str, leaves: bool
) -> None:
    """Rewritten, embedded and quoted test items are withheld wherever they stand."""
    row = Rejected("rq", "s", 0, text, target, "validity", reason, None, None, "v1")
    assert TestTexts(items(), 0.7).may_leave([row]) == [leaves]


def test_what_a_gate_against_the_test_set_stopped_never_keeps_its_text() -> None:
    """A reference in the test set is enough, however far the wording is from it."""
    row = Rejected("rq", "s", 0, "Other words", "#### 1", "masked", "r", "s9", 0.9, "v1")
    texts = TestTexts(items(), 0.7)
    assert texts.may_leave([row, replace(row, reference_id="t1")]) == [True, False]


def test_a_shared_label_is_no_test_text() -> None:
    """A long label that many test items carry does not cost a rejection its text."""
    label = "abbreviation-or-its-expansion"
    test = [replace(row, target=label) for row in items()]
    row = Rejected("rq", "s", 0, "What is UN?", label, "validity", "odd", None, None, "v1")
    assert TestTexts(test, 0.7).may_leave([row]) == [True]
    test[0] = replace(test[0], target=label + " of one item only")
    row = replace(row, target=test[0].target)
    assert TestTexts(test, 0.7).may_leave([row]) == [False]
