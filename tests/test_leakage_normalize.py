"""Claims about folding texts before comparison."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from screening_inputs import ANY_SCRIPT

from llm2llm.leakage.normalize import WORD, exact_keys, fold, words


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("Wһаt іs Раrіs?", "What is Paris?"),
        ("ＷＨＡＴ ｉｓ 𝐏𝐚𝐫𝐢𝐬", "what is paris"),
        ("W\u200bh\u00ada\u2060t is Par\u0301is", "what, is... PARIS"),
        ("Ηοw mаny cοmputеrs?", "how many computers"),
        ("café naïve Łódź", "cafe naive lodz"),
        ("Straße", "STRASSE"),
        ("١٢ + ٣", "12 + 3"),
        ("It costs 1,000.", "it costs 1000"),
        ("ΤΙ ΕΙΝΑΙ Η ΝΥΧΤΑ", "τι είναι η νύχτα"),
        ("ВОТ НОВЫЙ ДОМ", "вот новый дом"),
    ],
)
def test_disguises_have_an_equal_key(written: str, plain: str) -> None:
    """A text and its disguise share one of the two keys."""
    assert set(exact_keys(written)) & set(exact_keys(plain))


def test_different_questions_have_different_keys() -> None:
    """Folding does not make different words equal."""
    assert not set(exact_keys("What is a cat?")) & set(exact_keys("What is a cut?"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't pay $1,234.50!", ["don", "t", "pay", "1234.50"]),
        ("苹果有3个。", ["苹", "果", "有", "3", "个"]),
        ("東京タワー・高さ", ["東", "京", "タ", "ワ", "ー", "高", "さ"]),
        ("ราคา 5 บาท", ["ร", "า", "ค", "า", "5", "บ", "า", "ท"]),
        ("كم عدد الكتب؟", ["كم", "عدد", "الكتب"]),
        ("क्या है?", ["कय", "ह"]),
        ("snake_case", ["snake", "case"]),
        ("?!", ["?", "!"]),
        (" \u200b\n", []),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str]) -> None:
    """Spaced scripts give words, unspaced ones characters, symbols alone themselves."""
    assert words(text) == expected


@given(ANY_SCRIPT)
def test_visible_text_always_has_words_and_keys(text: str) -> None:
    """No text is waved through as an empty list of words unless nothing in it is visible."""
    visible = bool(fold(text).split())
    assert bool(words(text)) == visible
    assert all(bool(key) == visible for key in exact_keys(text))


@given(ANY_SCRIPT)
def test_fold_leaves_no_mark_and_is_stable(text: str) -> None:
    """Folded text has no marks or invisible characters, and folding it again changes nothing."""
    folded = fold(text)
    assert not any(unicodedata.category(character)[0] == "M" for character in folded)
    assert fold(folded) == folded


@given(
    st.one_of(
        ANY_SCRIPT,
        st.text(st.characters(max_codepoint=127), max_size=40),
        st.text(st.sampled_from("aB1,.  -_\t"), max_size=30),
    )
)
def test_the_short_ways_for_ascii_change_nothing(text: str) -> None:
    """Plain text is split and stripped by simpler patterns, which find what the general ones do."""
    folded = fold(text).casefold()
    general = [word.replace(",", "") for word in WORD.findall(folded)]
    assert words(text) == (general or list("".join(folded.split())))
    twice = (folded, fold(text.casefold()).casefold())
    bare = [re.sub(r"[\W_]+", "", each) or "".join(each.split()) for each in twice]
    assert exact_keys(text) == tuple(bare)


def test_words_may_be_changed_by_whoever_gets_them() -> None:
    """A list that is given out is nobody else's, though splits are remembered."""
    words("one two").append("three")
    assert words("one two") == ["one", "two"]
