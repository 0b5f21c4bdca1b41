"""Claims about the numbers of words: many texts get the same ones as few, and none is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.exceptions import LeakageCheckError
from llm2llm.leakage.numbering import Coded, Numbering

# Words of any script, halves of surrogate pairs and control characters too; all but the space.
WORD = st.one_of(st.sampled_from(["a", "b", "aa", "ab"]), st.text(
    st.characters(exclude_characters=" ", exclude_categories=()), min_size=1, max_size=9,
))  # fmt: skip
TEXT = st.builds(
    lambda words, gaps: "".join(" " * gap + word for word, gap in zip(words, gaps, strict=False)),
    st.lists(WORD, max_size=6),
    st.tuples(st.integers(0, 2), *[st.integers(1, 3)] * 5),
)
TEXTS = st.lists(st.builds(lambda text, n: text + " " * n, TEXT, st.integers(0, 2)), max_size=7)


def coded(references: list[str], queries: list[str], many: int, batch: int) -> list[Coded]:
    """Give references and queries their numbers, by Arrow where there are `many` of them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("llm2llm.leakage.numbering._MANY", many)
        patch.setattr("llm2llm.leakage.numbering._BATCH", batch)
        numbering = Numbering()
        return [numbering.learn(references), numbering.code(queries)]


def plain(references: list[str], queries: list[str]) -> list[list[list[int]]]:
    """Give words their numbers one by one, as they come in the references."""
    numbers: dict[str, int] = {}
    for text in references:
        for word in text.split(" "):
            if word:
                numbers.setdefault(word, len(numbers) + 1)
    return [
        [[numbers.get(word, 0) for word in text.split(" ") if word] for text in texts]
        for texts in (references, queries)
    ]


@given(TEXTS, TEXTS, st.sampled_from([1, 3, 100]), st.integers(1, 4))
def test_few_and_many_texts_get_the_same_numbers(
    references: list[str], queries: list[str], many: int, batch: int
) -> None:
    """Whichever way references and queries are looked up, numbers are those of a plain count.

    Empty texts, words behind several spaces and words of any bytes included.
    """
    found = coded(references, queries, many, batch)
    for got, expected in zip(found, plain(references, queries), strict=True):
        assert got.n_words.tolist() == [len(text) for text in expected]
        assert got.codes.tolist() == [number for text in expected for number in text]
        strings = ["".join(map(chr, text)) for text in expected]
        assert got.strings(slice(None)) == strings


def test_texts_of_a_number_of_places_are_found_again() -> None:
    """Strings come in the order asked for, as often as asked for."""
    numbering = Numbering()
    texts = numbering.learn(["a b", "", "c a"])
    assert texts.strings(texts.ends[:0]) == []
    assert numbering.code(["b", "x a"]).strings(slice(1, 2)) == ["\0\1"]
    assert texts.strings(texts.n_words.argsort()[[2, 0, 2]]) == ["\3\1", "", "\3\1"]


@pytest.mark.parametrize("many", [1, 100])
def test_numbers_that_are_halves_of_pairs_make_strings_too(many: int) -> None:
    """Past 55,295 distinct words, numbers are no characters by themselves; they stay apart."""
    texts = [
        " ".join(f"w{n}" for n in range(start, start + 100)) for start in range(0, 60_000, 100)
    ]
    found = coded(texts, ["w56000 w57000"], many, 50)
    assert found[1].strings(slice(None)) == [chr(56001) + chr(57001)]
    assert "".join(found[0].strings(slice(None))) == "".join(map(chr, range(1, 60_001)))


@pytest.mark.parametrize("many", [1, 100])
def test_more_words_than_characters_are_refused(monkeypatch: pytest.MonkeyPatch, many: int) -> None:
    """References of more distinct words than there are characters stop the check."""
    monkeypatch.setattr("llm2llm.leakage.numbering._LAST_CODE", 3)
    coded(["a b", "c a"], [], many, 10)
    with pytest.raises(LeakageCheckError, match="more than 3 distinct words"):
        coded(["a b", "c a d"], [], many, 10)
