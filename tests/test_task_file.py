"""Task files that are written for people: they hold, say what they were told, and mean it."""

import json
from pathlib import Path

import pytest
import yaml

from llm2llm.answers import extract
from llm2llm.ids import example_id
from llm2llm.prompts import render
from llm2llm.records.split import SplitRow
from llm2llm.starting.checking import near_labels, row_problems
from llm2llm.starting.gathering import RawRow
from llm2llm.starting.kinds import of_kind
from llm2llm.starting.task_file import task_text
from llm2llm.tasks.sections import Task
from llm2llm.tasks.templates import check_task

WORKED = "Each box holds 3, so 4 of them hold 4*3 = <<4*3=12>>12.\n#### 12"
# Target, input and kind of rows as people have them, the plain and the nasty.
ROWS = {
    "label": [("A", "why?"), ("B", "who?"), ("A", "when?")] * 4,
    "yes and no": [("yes", "a"), ("no", "b"), ("on", "c"), ("yes", "d"), ("no", "e")] * 3,
    "syntax in labels": [("{{ x }}", "a"), ("{% if %}", "b"), ("#: -", "c")] * 6,
    "syntax in rows": [("A", "{{ input }} {% x"), ("B", "{# no #}")] * 6,
    "choice": [("A", "Which?\n(A) red\n(B) blue"), ("B", "Who?\n(A) me\n(B) you")] * 6,
    "number": [(str(k * 11), f"how many in {k}?") for k in range(9)],
    "worked": [(WORKED, "4 boxes of 3?"), (WORKED.replace("Each", "A"), "boxes?")] * 6,
    "labels": [("a; b", "x"), ("b", "y"), ("a", "z"), ("c;b", "v"), ("c", "w")] * 4,
    "odd labels": [("a, b|{{ c }}", "x"), ("{{ c }}", "y"), ("a, b", "z")] * 4,
    "json": [
        (f'{{"n{{": {k}, "day": "2024-01-0{k}", "who": ["P{k}"], "ok": true}}', f"on day {k}")
        for k in range(1, 10)
    ],
    "json with gaps": [
        ('{"state": "open", "sum": 5}' if k % 2 else '{"state": "shut"}', f"mail {k}")
        for k in range(24)
    ],
    "text": [(f"on {k} May: done", f" mail\n  {k}\t'\"") for k in range(9)],
    "odd characters": [("A\x07", "a\u2028b\x85c"), ("B\ufeff", "trailing \n")] * 6,
}
KIND = {"yes and no": "label", "syntax in labels": "label", "syntax in rows": "label"} | {
    "odd characters": "label",
    "worked": "number",
    "odd labels": "labels",
    "json with gaps": "json",
}


def raw(name: str) -> list[RawRow]:
    """Make raw rows."""
    return [
        RawRow(k + 2, f"{text} {k}" if name != "syntax in rows" else text, target, "")
        for k, (target, text) in enumerate(ROWS[name])
    ]


def written(name: str, *, classifier: bool = False, columns=("text", "label")) -> Task:
    """Write a task file and read it back."""
    rows = raw(name)
    guess = of_kind(KIND.get(name, name), [row.target for row in rows])
    text = task_text(
        guess, columns, rows, name=name, description="d", classifier=classifier, chat=False
    )
    return Task.model_validate(yaml.safe_load(text), context={"folder": Path()})


@pytest.mark.parametrize("name", ROWS)
def test_every_kind_gives_a_task_that_holds(name: str) -> None:
    """The file has no problem, and each row's target is read as an answer."""
    task = written(name)
    assert check_task(task) == []
    for row in raw(name):
        assert extract(task.answer, row.target) is not None
        shown = render(
            task.teacher.user, input=row.input, target=row.target, student_text="w", earlier=None
        )
        assert row.input in shown and row.target in shown


@pytest.mark.parametrize("name", ["label", "syntax in labels", "yes and no"])
def test_rules_and_votes_show_every_label_as_it_is(name: str) -> None:
    """Labels that look like template syntax come out unchanged."""
    task = written(name)
    texts = [
        render(task.teacher.system, input="", target="", student_text=None, earlier=None),
        render(task.teacher.solve, input=""),
    ]
    for label in task.answer.labels:
        assert all(label in text for text in texts)


def test_the_exchange_is_two_of_the_users_own_rows() -> None:
    """Two train rows of one label, laid out as the stage's question, and the answer wished for."""
    task = written("label")
    exchange = task.teacher.exchange
    found = [row for row in raw("label") if row.input in exchange.user + exchange.assistant]
    assert len(found) == 2
    assert found[0].target == found[1].target
    asked = render(
        task.teacher.user,
        input=next(row.input for row in found if row.input in exchange.user),
        target=found[0].target,
        student_text=None,
        earlier=None,
    )
    assert exchange.user == asked
    assert set(yaml.safe_load(exchange.assistant)) == {"text"}


def test_sets_of_labels_keep_their_separator_and_their_seeds_labels() -> None:
    """The usual separators need no name; another one is named, and told to who solves."""
    usual, odd = written("labels"), written("odd labels")
    assert (usual.answer.labels, usual.answer.separator) == (["a", "b", "c"], None)
    assert (odd.answer.labels, odd.answer.separator) == (["a, b", "{{ c }}"], "|")
    assert "with '|' between" in render(odd.teacher.solve, input="")
    assert usual.teacher.response.target is None
    assert usual.validity.same_answer


def test_json_answers_have_a_schema_and_an_exchange_that_fits_it() -> None:
    """Types and gaps are told from the rows; the exchange answers with an object, not a text."""
    whole, gaps = written("json"), written("json with gaps")
    assert [(f.name, f.type, f.required) for f in whole.answer.fields] == [
        *(("n{", "number", True), ("day", "date", True)),
        *(("who", "list", True), ("ok", "bool", True)),
    ]
    assert [(f.name, f.type, f.required) for f in gaps.answer.fields] == [
        *(("state", "label", True), ("sum", "number", False)),
    ]
    shown = json.loads(whole.teacher.exchange.assistant)
    assert extract(whole.answer, json.dumps(shown["label"])) is not None
    for text in (whole.teacher.system, whole.teacher.solve):
        told = render(text, input="", target="", student_text=None, earlier=None)
        assert all(json.dumps(f.name) in told for f in whole.answer.fields)


def test_rows_that_look_like_templates_give_no_exchange() -> None:
    """The teacher would see syntax as it stands, which a task may not have there."""
    assert written("syntax in rows").teacher.exchange is None


def test_a_classifier_reads_the_input_alone() -> None:
    """The prompt of a student that writes its answer ends where the answer begins."""
    assert written("label", classifier=True).student.prompt == "{{ input }}"
    assert written("label").student.prompt == "Text: {{ input }}\nLabel: "


def test_columns_give_the_names_of_the_teachers_fields() -> None:
    """Names of columns that are no plain words are not put into a schema."""
    named = written("number", columns=("question", "result")).teacher
    assert (named.response.input, named.response.target) == ("question", "result")
    assert "got this question wrong" in named.user
    odd = written("number", columns=("Frage (de)", "Wert €")).teacher
    assert (odd.response.input, odd.response.target) == ("input", "target")


def test_worked_answers_are_checked_for_their_arithmetic() -> None:
    """Annotated targets turn the checks and the masked gate on; plain numbers do not."""
    worked, plain = written("worked"), written("number")
    assert (worked.validity.arithmetic, worked.leakage.masked) == (True, True)
    assert (plain.validity.arithmetic, plain.leakage.masked) == (False, False)
    assert extract(worked.answer, WORKED) == "12"


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["Refund", "refund"], 1),
        (["sign up", "sign-up"], 1),
        (["Complaint", "Complaints"], 1),
        (["A1", "A2"], 0),
        (["level 10", "level 11"], 0),
        (["HUM", "NUM"], 0),
        (["C", "C++", "C#", "c"], 1),
        (["-1", "1", "+", "-", "?", "!", "👍", "👎"], 0),
        (["positive+", "positive-"], 0),
        (["café", "cafe"], 1),
        (["billing", "shipping"], 0),
    ],
)
def test_near_duplicate_labels_are_found(labels: list[str], expected: int) -> None:
    """Case, spaces, punctuation, or one letter of a word; short codes and numbers differ so."""
    assert len(list(near_labels(labels, {}))) == expected


def test_near_duplicate_labels_come_with_their_rows() -> None:
    """Each of the two is told with its number of rows and where the first stands."""
    rows = [RawRow(2, "x", "Rechnung", ""), RawRow(3, "y", "Rechung", "")] * 2
    text = task_text(
        of_kind("label", [row.target for row in rows]),
        ("text", "label"),
        rows,
        name="n",
        description="d",
        classifier=True,
        chat=False,
    )
    task = Task.model_validate(yaml.safe_load(text), context={"folder": Path()})
    train = split(("a", "Rechnung"), ("b", "Rechung"), ("c", "Rechnung"))
    found = row_problems(task, train, split(("d", "Rechnung")), ("s.jsonl", "t.jsonl"))
    assert len(found) == 1
    assert "'Rechnung': 3 rows, first s.jsonl:1; 'Rechung': 1 rows, first s.jsonl:2" in found[0]


def split(*rows: tuple[str, str]) -> list[SplitRow]:
    """Make rows of a split."""
    return [
        SplitRow(example_id(text, target), text, target, target, k + 1)
        for k, (text, target) in enumerate(rows)
    ]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (
            [("a", "A"), ("b", "B")],
            [("c", "C")],
            "t.jsonl: 1 rows have the label 'C', which no row",
        ),
        ([("a", "A"), ("b", "B")], [("c", "A")], "the task's label 'C' is in no row"),
        ([("a", "A"), ("A!", "B"), ("c", "C")], [("d", "B")], "s.jsonl:2: the text of s.jsonl:1"),
        ([("a", "A"), ("b", "B"), ("c", "C")], [("a", "B")], "t.jsonl:1: the text of s.jsonl:1"),
        ([("a", "A"), ("b", "B"), ("c", "C")], [("A", "A")], "s.jsonl:1: the test item of t.jsonl"),
        ([("a" * 300, "A"), ("b", "B"), ("c", "C")], [("d", "A")], "raise it to 300"),
    ],
)
def test_faults_of_rows_are_found(train: list, test: list, message: str) -> None:
    """Each fault is one line that names the file, the row and what to do."""
    rows = [RawRow(2, "x", "A", ""), RawRow(3, "y", "B", ""), RawRow(4, "z", "C", "")] * 2
    text = task_text(
        of_kind("label", [row.target for row in rows]),
        ("text", "label"),
        rows,
        name="n",
        description="d",
        classifier=True,
        chat=False,
    )
    task = Task.model_validate(yaml.safe_load(text), context={"folder": Path()})
    found = row_problems(task, split(*train), split(*test), ("s.jsonl", "t.jsonl"))
    assert [problem for problem in found if message in problem], found
