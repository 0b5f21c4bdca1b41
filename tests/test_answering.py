"""Rows that are answered one after the other: what is read of them, and what is summed up."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from llm2llm.answering import AnsweredRow, Tally, answer_rows, rows_with_input
from llm2llm.cli.predict import _in_words
from llm2llm.exceptions import DataError
from llm2llm.student.generating import Generation
from llm2llm.tasks.sections import AnswerField, AnswerFormat, Fields

ORDERS = AnswerFormat(
    kind="json",
    pattern=None,
    labels=None,
    fields=[
        AnswerField(name="order", type="text", required=True, compare="exact"),
        AnswerField(name="amount", type="number", required=False, compare="exact"),
    ],
)


class Parrot:
    """An engine that answers every question with one text."""

    context = None

    def __init__(self, text: str) -> None:
        """Take the text."""
        self.text = text

    def encode(self, inputs):
        """Give each input one token."""
        return [[1] for _ in inputs]

    def groups(self, lengths):
        """Ask all at once."""
        return [list(range(len(lengths)))]

    def answer(self, questions, _limit):
        """Repeat the text."""
        return [Generation(self.text, False, 1) for _ in questions]


def stop(failure: DataError) -> None:
    """Stop at the first bad row."""
    raise failure


def answered(
    rows: list[dict],
    text: str = '{"order": "A1", "amount": 5}',
    answer_format: AnswerFormat = ORDERS,
    on_bad: Callable[[DataError], None] | None = None,
) -> list[AnsweredRow]:
    """Let the parrot answer rows."""
    fields = Fields(input="mail", target="answer")
    asked = rows_with_input(
        enumerate(rows, start=1),
        file=Path("mails.csv"),
        fields=fields,
        on_bad=stop if on_bad is None else on_bad,
    )
    return [
        *answer_rows(
            Parrot(text),
            asked,
            fields=fields,
            answer_format=answer_format,
            max_new_tokens=9,
        )
    ]


def test_a_json_label_may_stand_as_text_object_or_columns() -> None:
    """All three are graded alike; a row with none of them has no label."""
    label = {"order": "A1", "amount": 5}
    rows = [
        {"mail": "m", "answer": json.dumps(label)},
        {"mail": "m", "answer": label},
        {"mail": "m", "order": "A1", "amount": "5"},
        {"mail": "m", "order": "A2", "amount": ""},
        {"mail": "m"},
    ]
    verdicts = [row.verdict for row in answered(rows)]
    assert verdicts == ["right", "right", "right", "wrong", None]


@pytest.mark.parametrize(
    ("kind", "labels", "text", "cells"),
    [
        ("label", ["1", "2"], "1", [1, 1.0, "1", 2, None, float("nan")]),
        ("label", ["true", "false"], "true", [True, "true", False]),
        ("labels", ["a", "b"], "b, a", [["a", "b"], "a;b", ["a"], []]),
        ("number", None, "5", [5, 5.0, "5", 5.5]),
    ],
)
def test_a_label_may_be_of_any_type_that_init_reads(
    kind: str, labels: list[str] | None, text: str, cells: list
) -> None:
    """Numbers, true and false and lists are what they are as text; what is missing has none."""
    answer_format = AnswerFormat(kind=kind, pattern=None, labels=labels)
    rows = [{"mail": "m", "answer": cell} for cell in cells]
    verdicts = [row.verdict for row in answered(rows, text, answer_format)]
    right = len(verdicts) - verdicts[::-1].index("right")
    assert set(verdicts[:right]) == {"right"}
    assert verdicts[right] == "wrong"
    assert set(verdicts[right + 1 :]) <= {None}


ACCOUNTS = AnswerFormat(kind="label", pattern=None, labels=["Konto", "Kündigung"])


@pytest.mark.parametrize(
    ("answer_format", "label", "why"),
    [
        (
            ACCOUNTS,
            "Kündigng",
            "found 'Kündigng', expected one of Konto, Kündigung; did you mean `Kündigung`?",
        ),
        (ACCOUNTS, ["a", "b"], "found \"['a', 'b']\", expected one of Konto, Kündigung"),
        (
            AnswerFormat(kind="labels", pattern=None, labels=[f"n{k}" for k in range(10)]),
            "n1, zzz",
            "found 'zzz', expected one of n0, n1, n2, n3, n4, n5, n6, n7 and 2 more",
        ),
        (
            AnswerFormat(kind="number", pattern=None, labels=None),
            "seventy",
            "found 'seventy'; no number can be read from the target",
        ),
        (
            AnswerFormat(kind="number", pattern="#### (.*)", labels=None),
            "it is 72",
            "found 'it is 72', expected a match of `#### (.*)`; no number can be read from the"
            " target",
        ),
        (
            ORDERS,
            '{"ordr": "A1"}',
            """found '{"ordr": "A1"}'; no json can be read from the target: the schema has no"""
            " field 'ordr'",
        ),
        (
            ORDERS,
            '{"order": ',
            """found '{"order": '; no json can be read from the target: there is no whole JSON"""
            " object",
        ),
    ],
)
def test_a_label_that_cannot_be_read_is_told_from_none(
    answer_format: AnswerFormat, label: object, why: str
) -> None:
    """It is counted apart, left out of the accuracy, and its row says what was expected."""
    rows = answered([{"mail": "m", "answer": label}, {"mail": "m"}], "x", answer_format)
    assert [(row.gold, row.verdict, row.unreadable_label) for row in rows] == [
        (None, None, why),
        (None, None, None),
    ]
    tally = Tally(answer_format)
    for row in rows:
        tally.add(row)
    summary = tally.summary()
    assert (summary.n, summary.n_without_label, summary.n_unreadable_label) == (2, 1, 1)
    assert summary.accuracy is None


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            {"text": "m", "n": 1},
            "no column `mail`, which the student takes as its input; its columns: text, n",
        ),
        (
            {},
            "no column `mail`, which the student takes as its input; its columns: none; rename one",
        ),
        ({"mail": " "}, "column `mail`: found ' ', expected a text, the student's input; mend"),
        ({"mail": None}, "column `mail`: found None, expected a text"),
    ],
)
def test_a_row_without_an_input_is_named(row: dict, told: str) -> None:
    """File, row, column, what was found and what to do are in one message."""
    with pytest.raises(DataError) as caught:
        answered([{"mail": "m"}, row])
    assert str(caught.value).startswith(f"mails.csv:2: {told}")


def test_rows_without_an_input_may_be_left_out() -> None:
    """The others keep their numbers, and each that is left out is handed over."""
    bad: list[DataError] = []
    rows = [{"mail": "m"}, {"mail": ""}, {"mail": "n"}]
    assert [row.row for row in answered(rows, on_bad=bad.append)] == [1, 3]
    assert [str(failure).split(": ")[0] for failure in bad] == ["mails.csv:2"]


def test_the_summary_scores_each_field() -> None:
    """F1s come beside the verdicts, and a summary of them is JSON."""
    tally = Tally(ORDERS)
    for row in answered([{"mail": "m", "order": "A1"}, {"mail": "m", "order": "B"}]):
        tally.add(row)
    summary = tally.summary()
    assert (summary.accuracy.n_right, summary.accuracy.n) == (0, 2)
    assert [(s.name, s.n_gold, s.n_answered, s.n_right) for s in summary.scores.scores] == [
        *(("order", 2, 2, 1), ("amount", 0, 2, 0)),
    ]
    assert summary.confusion is None
    assert json.loads(json.dumps(dataclasses.asdict(summary)))["scores"]["of"] == "field"


def test_of_many_classes_predict_tells_the_most_confused_pairs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A table of 30 columns would not fit; a few classes have one."""
    for n, told in ((30, "Most often confused"), (3, "Gold down, answered across")):
        names = [f"class-{k}" for k in range(n)]
        tally = Tally(AnswerFormat(kind="label", pattern=None, labels=names))
        for k, name in enumerate(names):
            wrong = names[k - 1]
            tally.add(AnsweredRow(k, wrong, wrong, name, "wrong", False, 1))
        _in_words(tally.summary())
        shown = capsys.readouterr().out
        assert told in shown
        assert "By class: micro F1 0.0, macro F1 0.0" in shown
        lines = shown.split(told)[1].strip().splitlines()
        assert len(lines) == (21 if n == 30 else 4)
