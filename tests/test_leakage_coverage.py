"""Claims about the coverage of a test item's n-grams."""

from hypothesis import given
from hypothesis import strategies as st

from llm2llm.leakage.coverage import CoverageGate
from llm2llm.leakage.gate import Match, Text

SENTENCE = st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=9)


def plain_coverage(item: list[str], text: list[str], n: int) -> float:
    """Count the distinct n-grams of the item that occur anywhere in the text."""
    size = min(n, len(item))
    grams = {" ".join(item[k : k + size]) for k in range(len(item) - size + 1)}
    inside = {" ".join(text[k : k + size]) for k in range(len(text) - size + 1)}
    return len(grams & inside) / len(grams)


@given(st.lists(SENTENCE, min_size=1, max_size=6), SENTENCE, st.integers(1, 5))
def test_coverage_equals_the_plain_count(items: list[list[str]], text: list[str], n: int) -> None:
    """The match is the item with the largest share of n-grams in the text, first of equals."""
    [match] = CoverageGate.of([" ".join(item) for item in items], n).nearest(
        [Text(" ".join(text), "")]
    )
    shares = [plain_coverage(item, text, n) for item in items]
    best = max(shares)
    assert match == (Match(shares.index(best), best) if best else None)


@given(SENTENCE, SENTENCE, SENTENCE, st.integers(1, 13), st.booleans())
def test_an_embedded_item_is_covered_in_full(
    before: list[str], item: list[str], after: list[str], n: int, in_target: bool
) -> None:
    """An item inside other text scores 1, however short it is, in the input or the target."""
    text = " ".join([*before, *item, *after])
    gate = CoverageGate.of([" ".join(item)], n)
    [match] = gate.nearest([Text("q", text) if in_target else Text(text, "t")])
    assert match == Match(0, 1.0)


def test_short_item_must_stand_in_one_piece() -> None:
    """The words of an item shorter than n do not count when other words part them."""
    gate = CoverageGate.of(["What is cholesterol ?"], 5)
    assert gate.nearest([Text("What exactly is cholesterol", "")]) == [None]


def test_no_ngram_spans_input_and_target() -> None:
    """The end of the input and the start of the target make no n-gram together."""
    gate = CoverageGate.of(["a b"], 2)
    assert gate.nearest([Text("a", "b"), Text("a b", "")]) == [None, Match(0, 1.0)]
