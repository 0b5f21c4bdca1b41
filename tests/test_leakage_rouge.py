"""Claims about the exhaustive ROUGE-L comparison."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.normalize import words
from llm2llm.leakage.rouge import RougeGate, RougeIndex, rouge_f_at

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=12)


def plain_lcs(left: list[str], right: list[str]) -> int:
    """Compute the length of the longest common subsequence by the textbook table."""
    table = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if a == b else max(table[i][j + 1], table[i + 1][j])
            )
    return table[-1][-1]


def plain_score(left: list[str], right: list[str], extra: int) -> float:
    """Compute the lengthened ROUGE-L F from the textbook table."""
    lcs = plain_lcs(left, right)
    return 2 * (lcs + extra) / (len(left) + len(right) + 2 * extra) if lcs else 0.0


@given(st.lists(WORDS, min_size=1, max_size=8), st.lists(WORDS, max_size=8), st.integers(0, 4))
def test_nearest_equals_the_exhaustive_comparison(
    references: list[list[str]], queries: list[list[str]], extra: int
) -> None:
    """Score and reference are those of the textbook comparison of every pair, first of equals."""
    for query, match in zip(queries, RougeIndex(references).nearest(queries, extra), strict=True):
        scores = [plain_score(query, reference, extra) for reference in references]
        best = max(scores)
        assert match == (Match(scores.index(best), best) if best else None)


@given(st.lists(WORDS, min_size=1, max_size=4), WORDS)
def test_long_texts_and_unknown_words_count_in_full(
    references: list[list[str]], query: list[str]
) -> None:
    """Words that no reference has match nothing, past 64 words of one block of bits too."""
    stretched = [[*reference, *(f"r{n}" for n in range(70))] for reference in references]
    longer = [*query, "unknown", "unknown", *(f"r{n}" for n in range(0, 70, 2))]
    [row] = RougeIndex(stretched).rows([longer], 0)
    assert row.tolist() == [plain_score(longer, reference, 0) for reference in stretched]


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing in many blocks gives what one block gives, in order."""
    references = [["a", "b"], ["b", "c", "d"], ["x"]]
    queries = [["a"], ["b", "c"], ["x", "a"], ["y"], ["d", "c", "b"]]
    whole = RougeIndex(references).nearest(queries, 1)
    monkeypatch.setattr("llm2llm.leakage.rouge._BLOCK", 3)
    assert RougeIndex(references).nearest(queries, 1) == whole


def test_no_references_means_no_match() -> None:
    """An index without references finds nothing and does not fail."""
    assert RougeIndex([]).nearest([["a"]], 0) == [None]


@given(WORDS, WORDS, st.integers(0, 5), st.floats(0.5, 1))
def test_cut_by_length_says_what_the_score_says(
    left: list[str], right: list[str], extra: int, cut: float
) -> None:
    """A pair reaches the cut exactly where its ROUGE-L F reaches the cut for its length."""
    score = plain_score(left, right, extra)
    mean = (len(left) + len(right)) / 2
    plain = plain_score(left, right, 0)
    if plain and abs(score - cut) > 1e-9:
        assert (score >= cut) == (plain >= cut - (1 - cut) * extra / mean - 1e-12)


def test_short_texts_have_the_lower_cut() -> None:
    """One cut is a lower ROUGE-L F the shorter the texts, as documented."""
    assert rouge_f_at(0.8, 40, 3) == pytest.approx(0.785)
    assert rouge_f_at(0.8, 10, 3) == pytest.approx(0.74)
    assert rouge_f_at(0.8, 10, 0) == 0.8


def test_gate_compares_inputs_only() -> None:
    """What stands in the target does not count."""
    gate = RougeGate.of("rouge", ["a b c"], words, 0)
    assert gate.nearest([Text("x", "a b c"), Text("a b c", "")]) == [None, Match(0, 1.0)]
