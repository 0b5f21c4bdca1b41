"""Claims about the lists of rare words: they lose no pair, and are made where they pay."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import LCSseq

from llm2llm.leakage.rare_words import RareWords
from llm2llm.leakage.reach import Reach
from llm2llm.leakage.rouge import RougeIndex

WORD = st.sampled_from(["a", "b", "c", "d", "e"])
QUERY = st.lists(WORD, min_size=1, max_size=12)
REFERENCE = st.lists(WORD, max_size=12)
CUTS = st.one_of(st.sampled_from([0.5, 2 / 3, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0]),
                 st.floats(0.5, 1))  # fmt: skip
Pairs = list[tuple[int, int, float]]


def lines(texts: list[list[str]]) -> list[str]:
    """Write texts as an index takes them, their words parted by spaces."""
    return [" ".join(text) for text in texts]


@contextmanager
def at_no_cost() -> Iterator[list[RareWords]]:
    """Make lists of rare words cost nothing, so that they are always used; collect them."""
    made: list[RareWords] = []
    close = RareWords.close

    def watched(self: RareWords, *given: object) -> object:
        made.append(self)
        return close(self, *given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llm2llm.leakage.joining._WORD_COSTS", 1e-12)
        patch.setattr("llm2llm.leakage.joining._LISTED_COSTS", 0.0)
        patch.setattr(RareWords, "close", watched)
        yield made


def all_pairs(
    queries: list[list[str]], references: list[list[str]], extra: int, cut: float
) -> Pairs:
    """Score every pair on its words and list those that reach the cut."""
    found = []
    for q, query in enumerate(queries):
        for r, reference in enumerate(references):
            lcs = LCSseq.similarity(query, reference)
            n_words = len(query) + len(reference)
            score = 2.0 * (lcs + extra) / (n_words + 2.0 * extra) if lcs else 0.0
            if lcs and score >= cut:
                found.append((q, r, score))
    return found


def texts_of(draw: Random, n: int) -> list[list[str]]:
    """Draw texts of all lengths: some words are in every one of them, most in few."""
    return [
        [f"w{int(draw.paretovariate(0.6))}" for _ in range(draw.choice([0, 1, 2, 8, 40, 90]))]
        for _ in range(n)
    ]


def edited(draw: Random, text: list[str]) -> list[str]:
    """Replace, drop, add, repeat and move up to a third of a text's words."""
    other = list(text)
    for _ in range(draw.randrange(1 + len(text) // 3)):
        place = draw.randrange(len(other))
        way = draw.randrange(5)
        if way == 0 and len(other) > 1:
            del other[place]
        elif way == 1:
            other.insert(place, f"new{draw.randrange(5)}")
        elif way == 2:
            other[place], other[0] = other[0], other[place]
        else:
            other[place] = draw.choice(text) if way == 3 else f"w{draw.randrange(40)}"
    return other


@given(st.lists(REFERENCE, min_size=1, max_size=8), st.lists(QUERY, max_size=8),
       st.integers(0, 4), CUTS)  # fmt: skip
def test_no_pair_of_short_texts_is_lost(
    references: list[list[str]], queries: list[list[str]], extra: int, cut: float
) -> None:
    """Texts of few words, often repeated, empty references too: what all pairs score is found."""
    with at_no_cost():
        found = sorted(RougeIndex(lines(references)).pairs(lines(queries), extra, cut))
    assert found == all_pairs(queries, references, extra, cut)


@settings(deadline=None, max_examples=40)  # 9,600 pairs each
@given(st.integers(0, 2**32), CUTS, st.integers(0, 3))
def test_no_near_copy_is_lost(number: int, cut: float, extra: int) -> None:
    """Hundreds of texts, many edited by about as much as the cut allows: each pair once, no other.

    The lists are used, for queries with and without words that no reference has.
    """
    draw = Random(number)
    references = texts_of(draw, 120)
    queries = [edited(draw, text) for text in draw.sample(references, 80)]
    with at_no_cost() as made:
        found = sorted(RougeIndex(lines(references)).pairs(lines(queries), extra, cut))
    assert made
    assert found == all_pairs(queries, references, extra, cut)


def test_parts_change_nothing() -> None:
    """However small what is sorted, looked up and compared at a time, the pairs are the same."""
    draw = Random(4)
    references = texts_of(draw, 90)
    queries = [edited(draw, text) for text in references]
    expected = all_pairs(queries, references, 1, 0.7)
    for names in (["_WINDOW"], ["_TILE"], ["_WINDOWS"], ["_WORDS"],
                  ["_WINDOW", "_TILE", "_WINDOWS", "_WORDS"]):  # fmt: skip
        with at_no_cost() as made, pytest.MonkeyPatch.context() as patch:
            for name in names:
                patch.setattr(f"llm2llm.leakage.rare_words.{name}", 2)
            patch.setattr("llm2llm.leakage.joining._GATHERED", 1)
            assert sorted(RougeIndex(lines(references)).pairs(lines(queries), 1, 0.7)) == expected
        assert made


def test_long_texts_are_told_by_many_planes() -> None:
    """Where texts have hundreds of words, counts of differing bits outgrow a byte."""
    draw = Random(6)
    references = [[f"w{draw.randrange(900)}" for _ in range(700)] for _ in range(30)]
    queries = [edited(draw, text) for text in references]
    with at_no_cost() as made:
        found = sorted(RougeIndex(lines(references)).pairs(lines(queries), 0, 0.6))
    assert found == all_pairs(queries, references, 0, 0.6)
    assert len(made[0].windows) > 4


def test_the_lowest_cuts_are_compared_with_all() -> None:
    """A cut of zero means no limit, and the least above it none that a number could hold."""
    references = ["a b", "c"]
    for cut in (0.0, 1e-300):
        with at_no_cost():
            found = sorted(RougeIndex(references).pairs(["a x"], 0, cut))
        assert found == [(0, 0, 0.5)]


def test_few_texts_pay_for_no_list() -> None:
    """Hundreds of rows are compared with all; a list is made once that has cost as much."""
    draw = Random(5)
    references = [" ".join(f"w{draw.randrange(5000)}" for _ in range(30)) for _ in range(400)]
    index = RougeIndex(references)
    expected = list(index.pairs(references, 0, 0.85))
    assert not index._join._listed
    n_calls = 0
    while not index._join._listed:
        assert list(index.pairs(references, 0, 0.85)) == expected
        n_calls += 1
    assert n_calls > 2
    assert sorted(index.pairs(references, 0, 0.85)) == sorted(expected)
    assert list(index._join._listed) == [Reach(0.85, 0)]
