"""Claims about the gates against the test set together."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screening_inputs import (
    ANY_SCRIPT,
    MASKED,
    TEMPLATED,
    TEST,
    UNMASKED,
    gates_for,
    params,
    row,
)

from llm2llm.exceptions import LeakageCheckError
from llm2llm.leakage.coverage import CoverageGate
from llm2llm.leakage.exact import ExactGate, find_leaked
from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.gates import REASONS, LeakageGates, build_gates
from llm2llm.leakage.masking import Masker
from llm2llm.leakage.normalize import exact_keys
from llm2llm.leakage.rouge import RougeGate
from llm2llm.params.dedupe_against_test import DedupeParams, GateCut
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import LeakagePolicy


def name_of(gates: LeakageGates, text: str, target: str = "") -> str | None:
    """Name the gate that stops one text."""
    [flag] = gates.check([Text(text, target)])
    return flag.gate if flag else None


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        ("what is CHOLESTEROL", "exact"),
        ("Tell me at once: what is cholesterol, and why?", "coverage"),
        (
            "Mary has 5 new apples and buys 7 pears at the market. How many apples eats Mary now?",
            "rouge",
        ),
        (
            "Zoe has 9 red apples or gets 21 more at the market. How many pears has Zoe now?",
            "masked",
        ),
        ("A boat sails for two days. Where is it?", None),
    ],
)
def test_first_gate_gives_the_reason(text: str, gate: str | None) -> None:
    """Each kind of leak is stopped by the first gate that is meant for it."""
    assert name_of(gates_for(TEST), text) == gate


def test_item_hidden_in_the_target_is_found() -> None:
    """A test item in the target of a candidate is a leak."""
    assert name_of(gates_for(TEST), "Something else", TEST[1].input) == "coverage"


def test_masked_gate_is_on_only_where_the_task_says() -> None:
    """The masked gate is off where masking is off, or the task is declared templated."""
    for policy, there in ((MASKED, True), (UNMASKED, False), (TEMPLATED, False)):
        names = [cut_gate.gate.name for cut_gate in gates_for(TEST, policy).gates]
        assert names == ["exact", "coverage", "rouge"] + ["masked"] * there


@given(st.lists(ANY_SCRIPT, min_size=1, max_size=6), st.sampled_from([MASKED, UNMASKED]))
def test_every_test_item_is_found_by_its_own_index(
    inputs: list[str], policy: LeakagePolicy
) -> None:
    """Each gate finds each item with score 1 in any script, from one character up."""
    test = [row(text) for text in inputs if exact_keys(text)[0]]
    if not test:
        return
    for cut_gate in gates_for(test, policy).gates:
        for match in cut_gate.matches([Text(item.input, "") for item in test]):
            assert match is not None and match.score == 1.0


LONG = [
    "Natalia sold 48 clips in May, and (surprise!) half as many in June. How many in all?",
    "小明有五个苹果，又买了七个，然后吃掉两个。他现在一共还有几个苹果？",
    "太郎はりんごを五個持っていて、さらに七個買いました。全部で何個ですか。",
    "แมรี่มีแอปเปิ้ลห้าผลและซื้อเพิ่มอีกเจ็ดผล ตอนนี้เธอมีกี่ผล",
    "كم عدد الكتب التي قرأها أحمد في الصيف الماضي إذا قرأ ٣ كتب كل أسبوع؟",
    "मैरी के पास पाँच सेब हैं और वह सात और खरीदती है, अब कितने हैं?",
    "?!…—§ ☃ 12 ½ +-*/=<>",
]


@pytest.mark.parametrize("text", LONG)
def test_every_item_is_found_at_every_length(text: str) -> None:
    """From one character up, each beginning of a text is found: as it is, embedded, by its index.

    Short items are found among long ones, in every script, and never pass unseen.
    """
    inputs = dict.fromkeys(text[:end].strip() for end in range(1, len(text) + 1))
    test = [row(part) for part in inputs if exact_keys(part)[0]]
    assert len(test) >= 7
    gates = gates_for(test)  # which itself demands a score of 1 for each
    for item in test:
        [flag] = gates.check([Text(item.input, "")])
        assert flag is not None and flag.score == 1.0
        if any(character.isalnum() for character in item.input):
            [covered] = gates.gates[1].matches([Text(f"So: {item.input} , well", "")])
            assert covered is not None and covered.score == 1.0


@pytest.mark.parametrize("off", ["exact", "coverage", "rouge", "masked"])
def test_every_gate_can_be_switched_off(off: str) -> None:
    """A gate that params do not name is not there, and changes the version; the others are."""
    names = [name for name in ("exact", "coverage", "rouge", "masked") if name != off]
    gates = build_gates(TEST, [], [], MASKED, params(gates=[*names, "duplicate"]))
    assert [cut_gate.gate.name for cut_gate in gates.gates] == names
    assert gates.version(0.95) != gates_for(TEST).version(0.95)


def test_no_gate_at_all_is_refused() -> None:
    """Params without a gate against the test set, or with one the task lacks alone, stop."""
    with pytest.raises(ValueError, match="at least one against the test set"):
        params(gates=["duplicate"])
    with pytest.raises(LeakageCheckError, match="no gate against the test set is left"):
        build_gates(TEST, [], [], UNMASKED, params(gates=["masked"]))


@pytest.mark.parametrize(
    ("test", "words"),
    [([], "no rows"), ([TEST[0], row("\u200b \u0301")], "expected visible text")],
)
def test_unusable_test_set_is_refused(test: list[SplitRow], words: str) -> None:
    """An empty test set, or an item with nothing to compare, stops the check."""
    with pytest.raises(LeakageCheckError, match=words):
        gates_for(test)
    with pytest.raises(LeakageCheckError, match=words):
        find_leaked(["a"], test)


@pytest.mark.parametrize("gate", [ExactGate, CoverageGate, RougeGate])
def test_an_index_that_loses_items_stops_the_check(
    gate: type[ExactGate] | type[CoverageGate] | type[RougeGate], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate that no longer finds one test item cannot be built."""
    whole = gate.nearest

    def forgetful(self: object, texts: Sequence[Text], at_least: float) -> list[Match | None]:
        found = whole(self, texts, at_least)  # type: ignore[arg-type]
        return [None if match and match.reference == 2 else match for match in found]

    monkeypatch.setattr(gate, "nearest", forgetful)
    with pytest.raises(LeakageCheckError, match="not found by its own index"):
        gates_for(TEST)


def test_masked_cut_follows_the_rest_rows() -> None:
    """Real rows that are test items with other names loosen the masked cut, others do not."""
    alike = [
        row(f"Name{n} has {n} red apples and buys 7 more at the shop. How many has Name{n} now?")
        for n in range(300)
    ]
    unlike = [row(f"The sum of {n} and {n + 1} is asked for, what is it?") for n in range(300)]
    cuts = {}
    for name, rest in (("alike", alike), ("unlike", unlike)):
        masked = build_gates(TEST, rest, [], MASKED, params()).gates[-1]
        assert masked.cut.source == "calibrated"
        cuts[name] = masked.cut.value
    assert cuts["unlike"] == params().masked.strictest
    assert cuts["alike"] > cuts["unlike"]


def test_test_items_among_the_rest_do_not_calibrate() -> None:
    """Rows of rest that are test items are leaks, not clean rows."""
    rest = [row(f"{TEST[0].input}{'!' * n}") for n in range(250)]
    cut = build_gates(TEST, rest, [], MASKED, params()).gates[1].cut
    assert (cut.source, cut.n_rows) == ("default", 0)


def test_version_changes_with_what_decides() -> None:
    """Another cut, another setting, another set of gates or duplicate cut is another version."""
    versions = [
        gates_for(TEST).version(0.95),
        gates_for(TEST).version(0.9),
        gates_for(TEST, UNMASKED).version(0.95),
        build_gates(TEST, [], [], MASKED, params(ngram_words=4)).version(0.95),
        build_gates(TEST, [], [], MASKED, params(extra_words=2)).version(0.95),
        build_gates(
            TEST, [], [], MASKED, params(rouge={"default": 0.81, "strictest": 0.6})
        ).version(0.95),
    ]
    assert len(set(versions)) == len(versions)
    assert gates_for(TEST).version(0.95) == versions[0]


def test_find_leaked_names_rows_and_items() -> None:
    """Raw rows that are test items but for case and punctuation are listed with the item's id."""
    rows = ["What is a cat ?", "what is cholesterol", "WHAT IS CHOLESTEROL?!"]
    assert find_leaked(rows, TEST) == [(1, TEST[2].example_id), (2, TEST[2].example_id)]


def test_a_masker_without_names_still_masks_numbers() -> None:
    """A masker that learned from nothing treats capitals within sentences as names."""
    assert Masker.learn([]).mask("so Zoe has 5") == ["so", "<name>", "has", "<number>"]


def test_docs_name_every_key_and_gate() -> None:
    """docs/leakage.md has a row for every key of the section and every gate."""
    text = (Path(__file__).parent.parent / "docs/leakage.md").read_text(encoding="utf-8")
    keys = [*DedupeParams.model_fields, *GateCut.model_fields]
    gates = ["parse", "validity", *REASONS, "duplicate"]
    assert [name for name in [*keys, *gates] if f"`{name}`" not in text] == []
