"""Scores by class, label and field, held against counts that are made another way."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.scoring import Cell, most_confused, score
from llm2llm.tasks.sections import AnswerField, AnswerFormat

CLASSES = AnswerFormat(kind="label", pattern=None, labels=["a", "b", "c"])
SETS = AnswerFormat(kind="labels", pattern=None, labels=["a", "b", "c"])
OBJECTS = AnswerFormat(
    kind="json",
    pattern=None,
    labels=None,
    fields=[
        AnswerField(name="order", type="text", required=True, compare="exact"),
        AnswerField(name="due", type="date", required=False, compare="exact"),
    ],
)


def test_classes_are_counted_by_hand() -> None:
    """Of four rows, one taken for another class and one unparsable."""
    found = score(CLASSES, [("a", "a"), ("a", "b"), ("b", "b"), ("c", None)])
    by_name = {each.name: each for each in found.scores}
    assert (by_name["a"].precision, by_name["a"].recall) == (1.0, 0.5)
    assert (by_name["b"].precision, by_name["b"].recall) == (0.5, 1.0)
    assert (by_name["c"].precision, by_name["c"].recall, by_name["c"].f1) == (None, 0.0, 0.0)
    assert found.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert found.confusion == [
        *(Cell("a", "a", 1), Cell("a", "b", 1)),
        *(Cell("b", "b", 1), Cell("c", None, 1)),
    ]
    assert most_confused(found.confusion, 1) == [Cell("a", "b", 1)]


def test_sets_count_each_label_for_itself() -> None:
    """Half a set is half right; micro F1 pools labels, macro F1 means them."""
    found = score(SETS, [("a, b", "a"), ("b", "b, c"), ("c", None)])
    assert [(s.n_gold, s.n_answered, s.n_right) for s in found.scores] == [
        *((1, 1, 1), (2, 1, 1), (1, 1, 0)),
    ]
    assert found.micro_f1 == pytest.approx(2 * 2 / (4 + 3))
    assert found.macro_f1 == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert found.confusion is None


def test_fields_count_each_for_itself() -> None:
    """A missing field costs recall, one too many precision, a wrong one both."""
    golds = [{"order": "A", "due": "2024-01-01"}, {"order": "B"}, {"order": "C"}]
    answers = [{"order": "A"}, {"order": "X", "due": "2024-01-01"}, None]
    found = score(
        OBJECTS,
        [
            (json.dumps(gold), None if answer is None else json.dumps(answer))
            for gold, answer in zip(golds, answers, strict=True)
        ],
    )
    order, due = found.scores
    assert (order.n_gold, order.n_answered, order.n_right) == (3, 2, 1)
    assert (due.n_gold, due.n_answered, due.n_right, due.f1) == (1, 1, 0, 0.0)
    assert found.micro_f1 == pytest.approx(2 * 1 / (4 + 3))


def test_answers_without_parts_have_no_scores() -> None:
    """Numbers and texts have none, nor has a run without rows."""
    number = AnswerFormat(kind="number", pattern=None, labels=None)
    assert score(number, [("1", "1")]) is None
    assert score(CLASSES, []) is None


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["a", "b", "c", None])), min_size=1)
)
def test_counts_balance(pairs: list[tuple[str, str | None]]) -> None:
    """Cells, gold rows and right answers add up to the rows, whatever they are."""
    found = score(CLASSES, pairs)
    n_right = sum(gold == answer for gold, answer in pairs)
    assert sum(cell.n for cell in found.confusion) == found.n == len(pairs)
    assert sum(each.n_gold for each in found.scores) == len(pairs)
    assert sum(each.n_right for each in found.scores) == n_right
    assert sum(c.n for c in most_confused(found.confusion, 99)) == len(pairs) - n_right
    as_sets = score(SETS, pairs)
    assert [each.f1 for each in as_sets.scores] == [each.f1 for each in found.scores]
