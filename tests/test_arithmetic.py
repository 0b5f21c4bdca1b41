"""Arithmetic is exact, and hostile text cannot make it do anything else."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.arithmetic import (
    Annotation,
    ExpressionError,
    annotations,
    calculator_value,
    check_annotations,
    decimal,
    evaluate,
    format_number,
    literal,
    plain,
)

NUMBERS = st.decimals(min_value=0, max_value=10**6, places=2, allow_nan=False).map(str)


def _trees(children: st.SearchStrategy[tuple[str, Fraction]]) -> st.SearchStrategy:
    return st.tuples(children, st.sampled_from("+-*/"), children).map(_join)


def _join(parts: tuple) -> tuple[str, Fraction]:
    (left, a), sign, (right, b) = parts
    if sign == "/" and not b:
        sign = "-"
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else Fraction(0)}[sign]
    return f"({left}) {sign} ({right})", value


EXPRESSIONS = st.recursive(NUMBERS.map(lambda n: (n, Fraction(n))), _trees, max_leaves=6)


@given(EXPRESSIONS)
def test_value_of_every_expression_is_the_exact_one(expression: tuple[str, Fraction]) -> None:
    """An expression built together with its value evaluates to that very value."""
    text, value = expression
    if len(text) <= 200:
        assert evaluate(text) == value


@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 99)), max_size=8))
def test_precedence_and_order_are_those_of_python(terms: list[tuple[str, int]]) -> None:
    """Chains without parentheses have the value that Python gives them."""
    text = "7" + "".join(f"{sign}{value}" for sign, value in terms)
    assert evaluate(text) == eval(text)  # noqa: S307 (the test wrote the text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12/60", "1/5"),
        ("2*20*.01", "2/5"),
        ("$1,000 x 3", "3000"),
        ("6 × 7 ÷ 2", "21"),
        ("60*20%", "12"),
        ("(75/100)*100", "75"),
        ("-14+-8+1", "-21"),
        ("3--4", "7"),
        ("8 − 3", "5"),
        ("$-5", "-5"),
        ("10/4/5", "1/2"),
        ("1/3+1/3+1/3", "1"),
        ("0.1+0.2", "3/10"),
    ],
)
def test_notations_of_worked_solutions_are_read(text: str, value: str) -> None:
    """Every notation that solutions use has its exact value."""
    assert evaluate(text) == Fraction(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1/0",
        "1/(2-2)",
        "2**9",
        "2^9",
        "9**9**9**9",
        "(" * 30 + "1" + ")" * 30,
        "1" * 201,
        "1+",
        "1 2",
        "1,00",
        "12,34",
        "1,0000",
        "(1",
        "1)",
        "1e9",
        "abs(1)",
        "__import__('os')",
        "x",
        "0b10",
        "٣+١",
        "5%3",
        "nan",
        "1\n+1",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """What is no expression, or has no value, raises ExpressionError and nothing else."""
    with pytest.raises(ExpressionError):
        evaluate(text)


@given(st.text(alphabet="0123456789+-*/x×÷%$,.() eE_ab\n", max_size=250))
def test_hostile_text_gives_a_value_or_an_expression_error(text: str) -> None:
    """No text makes the parser fail in another way, and values stay as short as the text."""
    try:
        value = evaluate(text)
    except ExpressionError:
        return
    assert isinstance(value, Fraction)
    assert len(str(value.numerator)) <= 3 * len(text)


def test_annotations_are_found_with_their_places() -> None:
    """The parts and the place of each annotation come back in order."""
    text = "a <<1+2=3>>3 b <<3*2=6>>6"
    found = annotations(text)
    assert found[0] == Annotation("1+2", "3", 2, 11)
    assert [text[a.start : a.end] for a in found] == ["<<1+2=3>>", "<<3*2=6>>"]


@pytest.mark.parametrize(
    "target",
    [
        "He has <<2+3=5>>5.\n#### 5",
        "$<<1000*1.5=1500>>1,500\n#### 1,500",
        "<<1/4=.25>>.25 then <<.25*8=2.00>>2.00\n####2",
        "<<3-5=-2>>-2\n#### -2",
        "<<50/100=50%>>\n#### 0.5",
        "<<3/4=3/4>>\n#### 0.75.",
    ],
)
def test_exact_solutions_pass(target: str) -> None:
    """A solution whose annotations all hold and end in its answer has nothing wrong."""
    assert check_annotations(target) is None


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("He has 5.\n#### 5", "no annotation"),
        ("<<2+3=6>>6\n#### 6", "the expression is 5"),
        ("<<1/3=0.33>>0.33\n#### 0.33", "the expression is 1/3"),
        ("<<2+3=5>>5\n#### 6", "not the last result 5"),
        ("<<2+3=5>>5\n#### -5", "not the last result 5"),
        ("<<2+3=5>>5", "no final answer"),
        ("<<2+3=5>>5\n#### ", "not the last result"),
        ("<<2+3=5>>5\n#### 5 or 6", "not the last result"),
        ("<<2+3>>5 <<2+3=5>>5\n#### 5", "not of the form"),
        ("<<2+3=5=5>>5\n#### 5", "not of the form"),
        ("<<2+=5>>5\n#### 5", "expected a number"),
        ("<<2+3=five>>5\n#### 5", "not a number"),
        ("<<2+3=2+3>>5\n#### 5", "not a number"),
        ("<<1/0=0>>0\n#### 0", "division by zero"),
        ("<<2+3=5>>5\n<<5*2=11>>11\n<<5+5=10>>\n#### 10", "the expression is 10"),
    ],
)
def test_what_is_wrong_is_said_in_words(target: str, reason: str) -> None:
    """Each kind of fault gives its own reason."""
    assert reason in (check_annotations(target) or "nothing is wrong")


@given(st.fractions(max_denominator=10**6))
def test_plain_text_of_a_number_reads_back_exactly(value: Fraction) -> None:
    """Writing a number and reading it again changes nothing."""
    assert literal(plain(value)) == value


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=4, allow_nan=False))
def test_decimals_that_end_are_written_in_full(value: object) -> None:
    """A decimal of few places is written without loss and without trailing zeros."""
    text = decimal(Fraction(str(value)))
    assert text is not None
    assert Fraction(text) == Fraction(str(value))
    assert "." not in text or not text.endswith("0")


@pytest.mark.parametrize(
    ("value", "like", "written"),
    [
        ("1234", "", "1234"),
        ("1234", "56,000", "1,234"),
        ("12", "144.00", "12.00"),
        ("11/2", "5.25", "5.50"),
        ("6", "5.25", "6"),
        ("1/4", ".5", ".25"),
        ("5/4", ".5", "1.25"),
        ("1/4", "0.5", "0.25"),
        ("-1234567/2", "1,000", "-617,283.5"),
        ("1/3", "0.5", None),
    ],
)
def test_numbers_are_written_like_their_model(value: str, like: str, written: str | None) -> None:
    """Commas, cents and a missing zero follow the model; endless decimals are refused."""
    assert format_number(Fraction(value), like) == written


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("48/2", "24"),
        ("12/60", "0.2"),
        ("2.50*4", "10"),
        ("3-5", "-2"),
        ("1/3", None),
        ("1/0", None),
        ("", None),
        ("2**3", None),
        ("five+1", None),
    ],
)
def test_calculator_writes_exact_values_or_nothing(expression: str, written: str | None) -> None:
    """The calculator's value is exact; where there is none it stays silent."""
    assert calculator_value(expression) == written
