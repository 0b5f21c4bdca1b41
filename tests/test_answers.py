"""Answers are read and compared in one way: exactly, and never by chance."""

from decimal import Decimal
from fractions import Fraction
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.answers import canonical, equal, extract
from llm2llm.quantities import number
from llm2llm.tasks.sections import AnswerFormat

Kind = Literal["number", "label", "choice", "text"]


def spec(kind: Kind, labels: list[str] | None = None, pattern: str | None = None) -> AnswerFormat:
    """Make an answer format."""
    return AnswerFormat(kind=kind, labels=labels, pattern=pattern)


NUMBER = spec("number")
FINAL = spec("number", pattern=r"####[ \t]*([^\n]*)")
TREC = spec("label", ["ABBR", "DESC", "ENTY", "HUM", "LOC", "NUM"])
LETTERS = spec("choice", ["A", "B", "C", "D"])
INDEXES = spec("choice", ["0", "1", "2", "3", "4"])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", "5"),
        ("+5", "5"),
        ("-5", "-5"),
        ("−5", "-5"),
        ("- 5", "-5"),
        ("minus 5", "-5"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("1,000", "1000"),
        ("$1,000.50", "1000.5"),
        ("1,234,567", "1234567"),
        ("3.0", "3"),
        ("0.10", "0.1"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-0", "0"),
        ("1/2", "0.5"),
        ("-1/2", "-0.5"),
        ("1/3", "1/3"),
        ("12/4", "3"),
        ("1 1/2", "1.5"),
        ("-1 1/2 cups", "-1.5"),
        ("1½", "1.5"),
        ("50%", "50"),
        ("12 apples", "12"),
        ("12 apples.", "12"),
        ("5km", "5"),
        ("60 miles per hour", "60"),
        ("60 km/h", "60"),
        ("25 m²", "25"),
        ("5 dollars", "5"),
        ("2.5 million dollars", "2500000"),
        ("**12**", "12"),
        ("x = 12", "12"),
        ("x=-12", "-12"),
        ("The answer is 12.", "12"),
        ("6-year-olds", "6"),
    ],
)
def test_forms_of_one_number_have_one_canonical_text(text: str, value: str) -> None:
    """Sign, commas, decimals, fractions and units are read, not stripped."""
    assert canonical(NUMBER, text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "none",
        "five",
        "1,00",
        "12,34",
        "1,2345",
        "1 000",
        "5 or 6",
        "5-6",
        "12 - 5",
        "3 * 4 = 12",
        "10:30",
        "1/0",
        "1/2/3",
        "1.2.3",
        "1e3",
        "5k",
        "5²",
        "A1",
        "--5",
        "+-5",
        "5+",
        "x+5",
        "-$-5",
        "x-5",
        "(5)",
        "٣",
        "9" * 101,
    ],
)
def test_what_is_not_one_clear_number_is_unparsable(text: str) -> None:
    """A text with no number, several, or one that could mean two things is not guessed at."""
    assert canonical(NUMBER, text) is None


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("5", "-5"),
        ("1/2", "12"),
        ("1/2", "2"),
        ("10", "1.0"),
        ("0.5", "05"),
        ("1,000", "1"),
        ("1,000", "1.000"),
        ("1.5", "15"),
        ("1 1/2", "11/2"),
        ("50%", "0.5"),
        ("3", "3 million"),
        ("", ""),
        ("none", "none"),
        (None, None),
        (None, "5"),
        ("1,00", "1,00"),
    ],
)
def test_different_or_missing_numbers_are_not_equal(a: str | None, b: str | None) -> None:
    """Neither look-alikes nor two missing answers count as the same."""
    assert not equal(NUMBER, a, b)
    assert not equal(NUMBER, b, a)


@pytest.mark.parametrize(("a", "b"), [("1,000", "1000"), ("3.0", "3"), ("0.5", "1/2"), ("$5", "5")])
def test_forms_of_the_same_number_are_equal(a: str, b: str) -> None:
    """The form in which a number is written does not matter."""
    assert equal(NUMBER, a, b)
    assert equal(NUMBER, b, a)


@given(st.fractions(max_denominator=10**4), st.fractions(max_denominator=10**4))
def test_numbers_are_equal_exactly_when_their_values_are(a: Fraction, b: Fraction) -> None:
    """Comparison of written fractions is comparison of values."""
    assert equal(NUMBER, f"{a.numerator}/{a.denominator}", str(a))
    assert equal(NUMBER, str(a), str(b)) == (a == b)


@given(
    st.integers(-(10**12), 10**12), st.sampled_from(["", "$"]), st.sampled_from(["", " km", "."])
)
def test_sign_commas_and_units_never_change_the_value(value: int, before: str, unit: str) -> None:
    """Whatever the number, its written forms all read as it."""
    sign = "-" if value < 0 else ""
    assert number(f"{sign}{before}{abs(value):,}{unit}") == value


@given(
    st.integers(1, 10**9),
    st.sampled_from(["{}", "####{}", "#### {}", "####\t{}", "so\n#### {}\n", "#### 7\n#### {}"]),
    st.sampled_from(["{:,}", "${:,}", "{:,}%", "{:,} apples", "{:,}.00", "€{:,}.", "+{:,}"]),
)
def test_a_sign_is_never_lost_and_a_form_never_matters(n: int, frame: str, form: str) -> None:
    """However a number is framed and written it equals itself, and never its negative."""
    written = frame.format(form.format(n))
    minus = frame.format("-" + form.format(n).removeprefix("+"))
    spec = FINAL if "#" in frame else NUMBER
    assert extract(spec, written) == str(n)
    assert extract(spec, minus) == str(-n)
    assert not equal(NUMBER, extract(spec, written), extract(spec, minus))


@given(st.integers(1, 999), st.integers(2, 999), st.sampled_from([*"/:.-+*xe", " ", ", "]))
def test_two_numbers_are_never_run_together(a: int, b: int, between: str) -> None:
    """Whatever stands between two numbers, they are not the number of their joined digits."""
    assert not equal(NUMBER, f"{a}{between}{b}", f"{a}{b}")


@given(st.decimals(-(10**9), 10**9, places=6), st.integers(-(10**6), 10**6))
def test_decimals_compare_exactly(value: Decimal, millionths: int) -> None:
    """A millionth is a difference, and trailing zeros are none."""
    other = value + Decimal(millionths).scaleb(-6)
    assert equal(NUMBER, f"{value:f}", f"{other:f}") == (millionths == 0)
    assert equal(NUMBER, f"{value:f}000", f"{value:f}")


@given(st.text(max_size=60))
def test_canonical_answers_read_as_themselves(text: str) -> None:
    """No text breaks the reader, and reading a canonical answer again changes nothing."""
    for answer_format in (NUMBER, TREC, LETTERS, INDEXES, spec("text")):
        once = canonical(answer_format, text)
        assert once is None or canonical(answer_format, once) == once


@pytest.mark.parametrize("text", ["a" * 20000 + "1", " " * 20000 + "x1", "1" + "a " * 20000 + "@"])
def test_long_hostile_text_is_unparsable(text: str) -> None:
    """Texts that make careless patterns run for hours are answered."""
    assert number(text) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("So 4.\n#### 5", "5"),
        ("####5", "5"),
        ("#### 5\nand then #### 7 apples\n", "7"),
        ("#### 5\n####", None),
        ("#### 5\n#### none", None),
        ("the answer is 5", None),
        ("", None),
    ],
)
def test_last_match_of_the_pattern_is_the_answer(text: str, answer: str | None) -> None:
    """Only what the pattern's last match captures counts, even when it is empty."""
    assert extract(FINAL, text) == answer


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("LOC", "LOC"),
        (" loc \n", "LOC"),
        ("Class: LOC.", "LOC"),
        ("It is LOC, clearly LOC", "LOC"),
        ("LOC or NUM", None),
        ("LOCATION", None),
        ("", None),
        ("none", None),
    ],
)
def test_a_label_is_the_only_one_named(text: str, label: str | None) -> None:
    """A label counts as a whole word, and an answer that names two says nothing."""
    assert extract(TREC, text) == label


def test_labels_that_differ_in_case_only_must_be_exact() -> None:
    """An inexact spelling of two labels at once is unparsable."""
    both = spec("label", ["Us", "us"])
    assert [extract(both, text) for text in ("Us", "us", "US")] == ["Us", "us", None]


def test_accents_may_be_characters_of_their_own() -> None:
    """A model writes one character where a label was typed as a letter and an accent."""
    apart = "Cafe\u0301"
    assert extract(spec("label", [apart, "Bar"]), "It is a café.") == apart
    assert extract(spec("label", ["Café", "Bar"]), apart) == "Café"
    assert extract(spec("choice", ["Café", "Bar"]), f"({apart})") == "Café"


def test_a_label_inside_another_is_not_a_second_one() -> None:
    """The longer label wins where one contains the other as a word."""
    assert extract(spec("label", ["new york", "york"]), "It is New York.") == "new york"


@pytest.mark.parametrize(
    ("answer_format", "text", "choice"),
    [
        (LETTERS, "B", "B"),
        (LETTERS, "(b)", "B"),
        (LETTERS, "b) because", "B"),
        (LETTERS, "B.", "B"),
        (LETTERS, "The correct answer is: C", "C"),
        (LETTERS, "option D", "D"),
        (LETTERS, "1", None),
        (LETTERS, "A or B", None),
        (LETTERS, "Because it is", None),
        (LETTERS, "E", None),
        (INDEXES, "3", "3"),
        (INDEXES, "(3)", "3"),
        (INDEXES, "D", "3"),
        (INDEXES, "12", None),
        (INDEXES, "", None),
    ],
)
def test_choices_are_read_by_label_or_letter(
    answer_format: AnswerFormat, text: str, choice: str | None
) -> None:
    """A choice is its label in one of the usual forms; a word that begins like one is not."""
    assert extract(answer_format, text) == choice


def test_texts_compare_up_to_white_space_only() -> None:
    """White space is no difference, case is."""
    assert equal(spec("text"), " New  York\n", "New York")
    assert not equal(spec("text"), "new york", "New York")
    assert not equal(spec("text"), "  ", "  ")
