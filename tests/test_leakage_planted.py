"""Claims about planted leaks: they are found, and a gate that fails stops the stage."""

from collections.abc import Sequence
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screening_inputs import ANY_SCRIPT, MASKED, TEST, UNMASKED, gates_for, params, row
from test_leakage_embedding import letters

from llm2llm.exceptions import LeakageCheckError
from llm2llm.leakage.coverage import CoverageGate
from llm2llm.leakage.exact import ExactGate
from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.gates import LeakageGates, build_gates
from llm2llm.leakage.masking import NAME, Masker, Token
from llm2llm.leakage.normalize import exact_keys, words
from llm2llm.leakage.planted import Recall, check_planted
from llm2llm.leakage.rewrites import disguised, embedded, renamed, reworded
from llm2llm.leakage.rouge import RougeGate
from llm2llm.params.dedupe_against_test import GateName


@given(ANY_SCRIPT, st.lists(ANY_SCRIPT, max_size=3), st.integers(0, 50), st.floats(0.6, 0.95))
def test_every_rewrite_is_found_by_its_gate(
    item: str, others: list[str], variant: int, cut: float
) -> None:
    """Whatever the test items are, a rewrite keeps its promise, so no stage stops for nothing."""
    if not exact_keys(item)[0]:
        return
    inputs = [item, *(other for other in others if exact_keys(other)[0])]
    masker = Masker.learn(inputs)
    found = [
        (ExactGate.of(inputs), disguised(item, variant), 1.0),
        (CoverageGate.of(inputs, 5), embedded(item, variant), 1.0),
        (RougeGate.of("rouge", inputs, words, 3), reworded(item, variant, cut, 3), cut),
        (RougeGate.of("masked", inputs, masker.mask, 3), renamed(item, variant, masker), 1.0),
    ]
    for gate, text, promised in found:
        if text is not None:
            [match] = gate.nearest([text])
            assert match is not None and match.score >= promised, (gate.name, text)


def test_rewrites_are_what_they_are_said_to_be() -> None:
    """Rewrites of an ordinary item differ from it in every variant and apply to every gate."""
    item = TEST[0].input
    masker = Masker.learn([item])
    for variant in range(8):
        assert (embedded(item, variant) or Text("", "")).input != item
        for text in (disguised(item, variant), reworded(item, variant, 0.8, 3)):
            assert text is not None and text.input != item
    changed = renamed(item, 0, masker)
    assert changed is not None
    assert "Mary" not in changed.input and "5" not in changed.input and "apples" in changed.input


def test_all_kinds_are_planted_and_found() -> None:
    """Where every gate applies, leaks are planted for each and all are found."""
    recall = check_planted(gates_for(TEST), TEST, 2)
    assert recall == {name: Recall(2, 2) for name in ("exact", "coverage", "rouge", "masked")}


def test_planted_leaks_are_spread_and_capped() -> None:
    """No more leaks are planted than asked, or than there are test items."""
    assert check_planted(gates_for(TEST, UNMASKED), TEST, 100)["coverage"] == Recall(3, 3)


def test_a_gate_that_applies_to_nothing_is_said_to() -> None:
    """Symbols cannot be embedded, and short items have no word to spare: none is planted."""
    test = [row("?!"), row("Who?")]
    recall = check_planted(build_gates(test, [], [], UNMASKED, params()), test, 5)
    assert recall == {"exact": Recall(2, 2), "coverage": Recall(1, 1), "rouge": Recall(0, 0)}


def _broken(gates: LeakageGates, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make one gate find nothing but the test items as they are."""
    gate = next(cut_gate.gate for cut_gate in gates.gates if cut_gate.gate.name == name)
    whole = type(gate).nearest
    as_they_are = {item.input for item in TEST}

    def blind(self: object, texts: Sequence[Text], at_least: float) -> list[Match | None]:
        found = whole(self, texts, at_least)  # type: ignore[arg-type]
        if getattr(self, "name", None) != name:
            return found
        return [m if t.input in as_they_are else None for t, m in zip(texts, found, strict=True)]

    monkeypatch.setattr(type(gate), "nearest", blind)


AGAINST_TEST = ["exact", "coverage", "rouge", "masked", "embedding"]


def test_every_gate_is_broken_below() -> None:
    """The list has each gate that can be switched on: the judge's leaks are in test_judging."""
    known = set(get_args(GateName)) - {"judge", "duplicate"}
    assert set(AGAINST_TEST) == known
    assert {cut_gate.gate.name for cut_gate in _all_gates().gates} == known


def _all_gates() -> LeakageGates:
    given = params(
        gates=[*AGAINST_TEST, "duplicate"],
        embedding=params().embedding.model_dump() | {"window_words": 18},
    )
    return build_gates(TEST, [], [], MASKED, given, (letters, "abc"))


@pytest.mark.parametrize("name", AGAINST_TEST)
def test_a_gate_broken_on_purpose_stops_the_check(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each gate, blind to all but the items themselves, is caught by its planted leaks."""
    gates = _all_gates()
    check_planted(gates, TEST, 5)
    _broken(gates, name, monkeypatch)
    with pytest.raises(LeakageCheckError, match=f"gate {name}: found 0 of"):
        check_planted(gates, TEST, 5)


def test_a_masker_that_masks_nothing_stops_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """The planted leaks do not depend on the masker to tell what a number is."""
    monkeypatch.setattr(Masker, "_mask", lambda *_: None)
    gates = build_gates(TEST, [], [], MASKED, params(masked={"default": 0.95, "strictest": 0.9}))
    with pytest.raises(LeakageCheckError, match="gate masked"):
        check_planted(gates, TEST, 5)


def test_names_are_replaced_where_the_masker_sees_them() -> None:
    """A name at the start of a sentence is replaced too."""
    masker = Masker.learn(["He saw Mary go"])
    assert [t for t in masker.tokens("Mary goes") if t.mask == NAME] == [Token("Mary", 0, 4, NAME)]
    text = renamed("Mary goes", 0, masker)
    assert text is not None and masker.mask(text.input) == [NAME, "goes"]
