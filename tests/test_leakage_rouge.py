"""Claims about the ROUGE-L join: what it finds is what comparing every pair finds."""

import json
import os
import subprocess
import sys
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm2llm.leakage.gate import Match, Text
from llm2llm.leakage.normalize import words
from llm2llm.leakage.rouge import RougeGate, RougeIndex, rouge_f_at

WORDS = st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), min_size=1, max_size=12)


def lines(texts: list[list[str]]) -> list[str]:
    """Write texts as an index takes them, their words parted by spaces."""
    return [" ".join(text) for text in texts]


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
    found = RougeIndex(lines(references)).nearest(lines(queries), extra)
    for query, match in zip(queries, found, strict=True):
        scores = [plain_score(query, reference, extra) for reference in references]
        best = max(scores)
        assert match == (Match(scores.index(best), best) if best else None)


CUTS = st.one_of(st.sampled_from([0.5, 0.6, 2 / 3, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]),
                 st.floats(0.5, 1))  # fmt: skip


def plain_pairs(
    queries: list[list[str]], references: list[list[str]], extra: int, cut: float
) -> list[tuple[int, int, float]]:
    """Score every pair by the textbook table and list those that reach the cut."""
    scores = [
        (q, r, plain_score(query, reference, extra))
        for q, query in enumerate(queries)
        for r, reference in enumerate(references)
    ]
    return [pair for pair in scores if pair[2] >= cut and pair[2] > 0]


@given(
    st.lists(WORDS, min_size=1, max_size=8),
    st.lists(WORDS, max_size=8),
    st.integers(0, 4),
    CUTS,
)
def test_no_pair_is_lost_at_any_cut(
    references: list[list[str]], queries: list[list[str]], extra: int, cut: float
) -> None:
    """Short random texts of few words: the pairs and their scores are the textbook's."""
    found = RougeIndex(lines(references)).pairs(lines(queries), extra, cut)
    assert sorted(found) == plain_pairs(queries, references, extra, cut)


@st.composite
def at_the_limit(draw: st.DrawFn) -> tuple[list[str], list[str], float]:
    """Draw a text, and one that differs by so many words that the cut is just met or missed.

    Its edits are spread, at one end or a turned stretch; words repeat, or come from another text.
    """
    n_words = draw(st.integers(1, 150))
    kinds = draw(st.sampled_from([1, 2, 9, 400]))
    text = [f"w{n * 7 % kinds}" for n in range(n_words)]
    cut = draw(CUTS)
    n_edits = max(0, int((1 - cut) * n_words) + draw(st.integers(-1, 1)))
    other = list(text)
    start = draw(st.integers(0, n_words))
    for n in range(min(n_edits, n_words)):
        place = (start + n * draw(st.sampled_from([1, 3]))) % len(other)
        way = draw(st.sampled_from(["replace", "drop", "add", "repeat", "swap"]))
        if way == "drop" and len(other) > 1:
            del other[place]
        elif way == "add":
            other.insert(place, f"new{n}")
        elif way == "swap":
            other[place], other[place - 1] = other[place - 1], other[place]
        else:
            other[place] = f"new{n}" if way == "replace" else text[0]
    return text, other, cut


@settings(deadline=None)  # texts of 150 words, and a textbook table for each pair
@given(st.lists(at_the_limit(), min_size=1, max_size=4), st.integers(0, 3))
def test_pairs_at_the_limit_are_told_exactly(
    drawn: list[tuple[list[str], list[str], float]], extra: int
) -> None:
    """Adversarial pairs, just within or beyond the cut: verdicts are the textbook's, pair by pair.

    Repeated words hide from signatures, new ones have no bit, long texts fill all bits.
    """
    references = [text for text, _, _ in drawn]
    queries = [other for _, other, _ in drawn]
    for _, _, cut in drawn:
        found = RougeIndex(lines(references)).pairs(lines(queries), extra, cut)
        assert sorted(found) == plain_pairs(queries, references, extra, cut)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([0.5, 0.7, 0.85, 0.95]))
def test_large_sets_lose_no_pair(number: int, cut: float) -> None:
    """Hundreds of texts of all lengths, many near copies among them: all tiles, no pair lost."""
    draw = Random(number)
    references = [
        [f"w{int(draw.paretovariate(0.6))}" for _ in range(draw.choice([1, 2, 8, 40, 90]))]
        for _ in range(120)
    ]
    queries = []
    for text in draw.sample(references, 60):
        n_edits = draw.randrange(1 + len(text) // 3)
        places = draw.sample(range(len(text)), n_edits)
        queries.append([f"w{n}" if n in places else word for n, word in enumerate(text)])
    found = sorted(RougeIndex(lines(references)).pairs(lines(queries), 2, cut))
    everything = RougeIndex(lines(references + queries))
    expected = [
        (query, reference, score)
        for query, row in enumerate(everything._rows(lines(queries), 2))
        for reference, score in enumerate(row[: len(references)].tolist())
        if score >= cut
    ]
    assert found == expected


@given(st.lists(WORDS, min_size=1, max_size=8), st.lists(WORDS, max_size=8), st.randoms())
def test_order_changes_nothing(
    references: list[list[str]], queries: list[list[str]], order: Random
) -> None:
    """Whatever the order of references and queries, the same pairs have the same scores."""
    turned = order.sample(range(len(references)), len(references))
    turned_queries = order.sample(range(len(queries)), len(queries))
    found = RougeIndex(lines([references[place] for place in turned])).pairs(
        lines([queries[place] for place in turned_queries]), 1, 0.6
    )
    mapped = sorted((turned_queries[q], turned[r], score) for q, r, score in found)
    assert mapped == sorted(RougeIndex(lines(references)).pairs(lines(queries), 1, 0.6))


def test_thread_counts_change_nothing() -> None:
    """One thread and four, for every library that counts them, find the same pairs."""
    program = (
        "import json; from random import Random; from llm2llm.leakage.rouge import RougeIndex\n"
        "draw = Random(5)\n"
        "texts = [' '.join(f'w{draw.randrange(30)}' for _ in range(20)) for _ in range(300)]\n"
        "print(json.dumps(sorted(RougeIndex(texts).pairs(texts[::-1], 2, 0.5))))"
    )
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | dict.fromkeys(names, n_threads),
            check=True,
            capture_output=True,
        ).stdout
        for n_threads in ("1", "4")
    }
    assert len(printed) == 1 and len(json.loads(printed.pop())) > 300


@given(st.lists(WORDS, min_size=1, max_size=4), WORDS)
def test_long_texts_and_unknown_words_count_in_full(
    references: list[list[str]], query: list[str]
) -> None:
    """Words that no reference has match nothing, past 64 words of one block of bits too."""
    stretched = [[*reference, *(f"r{n}" for n in range(70))] for reference in references]
    longer = [*query, "unknown", "unknown", *(f"r{n}" for n in range(0, 70, 2))]
    [match] = RougeIndex(lines(stretched)).nearest(lines([longer]), 0)
    scores = [plain_score(longer, reference, 0) for reference in stretched]
    assert match == Match(scores.index(max(scores)), max(scores))


@given(st.lists(WORDS, min_size=1, max_size=8), st.lists(WORDS, max_size=8), st.floats(0, 1))
def test_nearest_keeps_to_its_bounds(
    references: list[list[str]], queries: list[list[str]], at_least: float
) -> None:
    """With `at_least` and `before` the match is the best of those that may be and score enough."""
    before = [place % (len(references) + 1) for place in range(len(queries))]
    found = RougeIndex(lines(references)).nearest(lines(queries), 1, at_least, before)
    for query, end, match in zip(queries, before, found, strict=True):
        scores = [plain_score(query, reference, 1) for reference in references[:end]]
        best = max(scores, default=0.0)
        expected = Match(scores.index(best), best) if best and best >= at_least else None
        assert match == expected


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing in many blocks gives what one block gives."""
    draw = Random(3)
    texts = [" ".join(draw.choices("abcdefghi", k=draw.randrange(1, 12))) for _ in range(60)]
    whole = RougeIndex(texts[:30]).nearest(texts[30:], 1)
    pairs = sorted(RougeIndex(texts[:30]).pairs(texts[30:], 1, 0.5))
    assert pairs
    for name, size in (
        ("rouge._BLOCK", 3), ("rouge._QUERIES", 4), ("signatures._TILE", 8),
        ("signatures._BAND", 2), ("signatures._SPARSE_STEP", 3), ("signatures._SIGNED_AT_ONCE", 5),
        ("numbering._MANY", 2), ("numbering._BATCH", 3),
    ):  # fmt: skip
        monkeypatch.setattr(f"llm2llm.leakage.{name}", size)
        assert RougeIndex(texts[:30]).nearest(texts[30:], 1) == whole
        assert sorted(RougeIndex(texts[:30]).pairs(texts[30:], 1, 0.5)) == pairs


def test_no_references_means_no_match() -> None:
    """An index without references finds nothing and does not fail."""
    assert RougeIndex([]).nearest(["a"], 0) == [None]


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
