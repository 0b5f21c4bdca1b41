"""`llm2llm init` with multiple-choice questions: where their options stand, and how answers do."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from test_cli_init import folder as _in_an_empty_folder  # noqa: F401 - a fixture of every test
from test_cli_init import init, rows_of, run, task_of

from llm2llm.exceptions import DataError
from llm2llm.raw import read_raw
from llm2llm.rows import stream_rows
from llm2llm.starting.asked import joined_as_asked
from llm2llm.tasks.sections import Fields, Task

Rows = list[dict[str, Any]]


def questions(n: int = 60, **more: Callable[[int], Any]) -> Rows:
    """Make questions with what `more` says of each."""
    return [
        {"question": f"what is number {k}", **{name: of(k) for name, of in more.items()}}
        for k in range(n)
    ]


def columns(names: str, answer: Callable[[int], Any]) -> Rows:
    """Make questions with a column for each option."""
    options = {
        name: lambda k, letter=letter: f"{letter} of {k}"
        for letter, name in zip("abcd", names.split(), strict=True)
    }
    return questions(**options, answer=answer)


def write(name: str, rows: Rows) -> None:
    """Write JSON lines, or CSV."""
    if name.endswith(".csv"):
        pl.DataFrame(rows).write_csv(name)
    else:
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


LISTS = {"choices": lambda k: ["a, x", f"b of {k}", "c; y", "d"]}
MARKED = {
    "choices": lambda k: {"text": ["a, x", f"b of {k}", "c", "d"], "label": ["1", "2", "3", "4"]}
}


FORMS = [
    columns("A B C D", lambda k: "ABCD"[k % 4]),
    columns("a b c d", lambda k: f"({'abcd'[k % 4]})"),
    columns("option_a option_b option_c option_d", lambda k: k % 4),
    columns("opa opb opc opd", lambda k: 1 + k % 4),
    columns("choice1 choice2 choice3 choice4", lambda k: f"{'abcd'[k % 4]} of {k}"),
    questions(**LISTS, answer=lambda k: k % 4),
    questions(choices=lambda k: ["a, |", f"b; {k}", "c", "d"], answer=lambda k: k % 4),
    questions(choices=lambda k: f"['a, x', 'b {k}', \"c's\", 'd']", answer=lambda k: k % 4),
    questions(**MARKED, answerKey=lambda k: str(1 + k % 4)),
    questions(
        options=lambda k: dict(zip("ABCD", ["w", f"x{k}", "y", "z"], strict=True)),
        answer=lambda k: "ABCD"[k % 4],
    ),
]


@pytest.mark.parametrize("rows", FORMS)
def test_options_are_joined_into_the_input(rows: Rows) -> None:
    """Whatever form they and the answers have: lines under the question, and a letter."""
    write("t.jsonl", rows)
    found = json.loads(run("init", "p", "--data", "t.jsonl", "--json"))
    assert (found["kind"], found["labels"], found["unused"]) == ("choice", [*"ABCD"], [])
    assert len(found["joined"]["options"]) in (1, 4)
    made = {row["question"].split("\n")[0]: row for row in rows_of(Path("p"), "train")}
    for k, row in enumerate(rows):
        if (here := made.get(row["question"])) is not None:
            assert [line[:3] for line in here["question"].split("\n")[1:]] == [
                *("A. ", "B. ", "C. ", "D. ")
            ]
            assert here[found["columns"][1]] == "ABCD"[k % 4]
    assert task_of(Path("p"))["answer"]["kind"] == "choice"


def test_a_test_files_options_are_joined_too() -> None:
    """Its answers are read as those of the data are; a file without options is told."""
    write("t.csv", columns("A B C D", lambda k: k % 4))
    rows = columns("A B C D", lambda _: 1)
    write("test.csv", [{**row, "question": f"new: {row['question']}"} for row in rows[:9]])
    told = init("--test", "test.csv")
    assert "options: A, B, C, D joined into the input, as lines `A. ...`" in told
    assert rows_of(Path("p"), "test")[2] == {
        "question": "new: what is number 2\nA. a of 2\nB. b of 2\nC. c of 2\nD. d of 2",
        "answer": "B",
        "source_line": 4,
    }
    write("bare.csv", questions(9, answer=lambda k: k % 4))
    told = run("init", "q", "--data", "t.csv", "--test", "bare.csv", exits=2)
    assert "bare.csv: has no column 'A', which holds options in t.csv" in told


def test_a_row_whose_answer_is_no_option_is_told_or_left_out() -> None:
    """By file and line; so is a row with less than two options."""
    rows = columns("A B C D", lambda k: "ABCD"[k % 4])
    rows[7]["answer"] = "E"
    write("t.csv", rows)
    assert "t.csv:9: the column `answer` is 'E', expected one of the options in A" in init(exits=3)
    rows[5] |= dict.fromkeys("BCD")
    write("t.csv", rows)
    assert "t.csv:7: found 1 options in A, B, C, D, expected at least two" in init(exits=3)
    told = init("--drop-bad-rows")
    assert "1 answer is no option, 1 without options" in told
    assert "t.csv: 60 rows" in told


def test_answers_that_could_name_two_options_are_told() -> None:
    """Numbers that were never 0 and never the last may count from either."""
    write("t.csv", columns("A B C D", lambda k: 1 + k % 3))
    assert "t.csv: the column `answer` could name options by text or by number" in init(exits=2)


def test_columns_that_are_no_options_are_left_alone() -> None:
    """Where the answers name none, measurements that are called so, and where a label is told."""
    write("t.csv", columns("A B C D", lambda k: ["red", "blue"][k % 2]))
    assert "not used: A, B, C, D" in init()
    write("t.csv", questions(a=str, b=lambda k: str(k / 2), answer=lambda k: ["1", "2"][k % 2]))
    assert "not used: a, b" in run("init", "q", "--data", "t.csv", "--kind", "label")
    assert "say --kind" in run("init", "r", "--data", "t.csv", exits=2)
    write("t.csv", columns("A B C D", lambda k: "ABCD"[k % 4]))
    assert "a label (as told): A, B, C, D" in run("init", "s", "--data", "t.csv", "--kind", "label")


def test_letters_without_options_are_asked_about() -> None:
    """As a choice they are refused; as labels they are taken where one says so."""
    write("t.csv", questions(answer=lambda k: "ABCD"[k % 4]))
    assert "the targets are letters, and no input lists options" in init(exits=2)
    told = init("--kind", "choice", exits=2)
    assert "no input lists options, such as 'what is number 0' with the target 'A'" in told
    assert "a label (as told): A, B, C, D" in init("--kind", "label")


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
@pytest.mark.parametrize("rows", FORMS)
def test_a_student_is_asked_what_it_was_trained_on(rows: Rows, form: str) -> None:
    """The same file given to `predict` has its options joined as `init` joined them."""
    if form == "csv":
        rows = [
            {k: json.dumps(v) if isinstance(v, list | dict) else v for k, v in row.items()}
            for row in rows
        ]
    file = Path(f"t.{form}")
    pl.DataFrame(rows).write_parquet(file) if form == "parquet" else write(str(file), rows)
    run("init", "p", "--data", file)
    fields = Fields.model_validate(task_of(Path("p"))["fields"], context={"folder": Path()})
    asked = dict(joined_as_asked(stream_rows(file), file=file, fields=fields, on_bad=pytest.fail))
    every = [row for name in ("train", "dev", "test") for row in rows_of(Path("p"), name)]
    assert len(every) == len(asked) == len(rows)
    assert {row["source_line"]: (row["question"], row[fields.target]) for row in every} == {
        line: (values["question"], values[fields.target]) for line, values in asked.items()
    }
    again = [(line, {"question": values["question"]}) for line, values in asked.items()]
    made = joined_as_asked(again, file=file, fields=fields, on_bad=pytest.fail)
    assert dict(made) == dict(again), "what is joined already stays"


def test_inputs_in_columns_are_asked_as_they_were_joined() -> None:
    """Of several inputs too; a row that has none of them is left to be told of."""
    rows = [
        {"title": f" t{k}", "body": f"b {k} " if k % 5 else None, "label": "xy"[k % 2]}
        for k in range(60)
    ]
    write("t.csv", rows)
    run("init", "p", "--data", "t.csv", "--input", "title", "--input", "body")
    fields = Fields.model_validate(task_of(Path("p"))["fields"], context={"folder": Path()})
    file = Path("t.csv")
    asked = dict(joined_as_asked(stream_rows(file), file=file, fields=fields, on_bad=pytest.fail))
    every = [row for name in ("train", "dev", "test") for row in rows_of(Path("p"), name)]
    assert {row["source_line"]: row["input"] for row in every} == {
        line: values["input"] for line, values in asked.items()
    }
    told: list[DataError] = []
    other = [(2, {"text": "x"}), (3, {"body": "b", "text": "x"})]
    made = list(joined_as_asked(other, file=file, fields=fields, on_bad=told.append))
    assert [values["input"] for _, values in made] == ["body: b"]
    assert "t.csv:2: no column `title` or `body`, of which the student's" in str(told[0])


def test_lists_and_days_among_inputs_are_asked_as_they_were_joined() -> None:
    """A list stands with commas or bars, an empty one not at all, and a day without midnight."""
    rows = [
        {
            "title": f"t{k}",
            "topics": [["x", "y"], ["z, w", "v"], []][k % 3],
            "day": datetime(2024, 5, 1 + k % 28),
            "label": "xy"[k % 2],
        }
        for k in range(60)
    ]
    for name, kept in (
        ("bars", rows),
        ("commas", [row for row in rows if "z, w" not in row["topics"]]),
    ):
        file = Path(f"{name}.parquet")
        pl.DataFrame(kept).write_parquet(file)
        flags = [part for of in ("title", "topics", "day") for part in ("--input", of)]
        run("init", name, "--data", file, "--target", "label", *flags)
        fields = Fields.model_validate(task_of(Path(name))["fields"], context={"folder": Path()})
        asked = dict(
            joined_as_asked(stream_rows(file), file=file, fields=fields, on_bad=pytest.fail)
        )
        every = [row for part in ("train", "dev", "test") for row in rows_of(Path(name), part)]
        wrong = [
            (row["input"], asked[row["source_line"]]["input"])
            for row in every
            if row["input"] != asked[row["source_line"]]["input"]
        ]
        # One list tells which separator a file's have only if it holds a comma itself.
        assert all(init.replace("x|y", "x, y") == student for init, student in wrong)
        assert not wrong or name == "bars"


def test_a_row_without_options_is_not_asked() -> None:
    """Where the task has them in columns, it is bad as one without an input is."""
    fields = Fields(input="q", target="a", options=["A", "B"])
    rows = [(2, {"q": "one?", "A": "x", "B": "y"}), (3, {"q": "two?", "A": "x"})]
    told: list[DataError] = []
    made = joined_as_asked(rows, file=Path("t.csv"), fields=fields, on_bad=told.append)
    assert [values["q"] for _, values in made] == ["one?\nA. x\nB. y"]
    assert [str(failure) for failure in told] == [
        "t.csv:3: found 1 options in A, B, which the student's input lists, expected at least two;"
        " fill them in, or write them into the input as `A. ...`"
    ]


def test_a_question_that_looks_like_an_option_gets_its_options() -> None:
    """Columns say more than `B.` in a text, in each row; what is joined already stays."""
    fields = Fields(input="q", target="a", options=["A", "B"])
    cells = {"A": "x", "B": "y"}
    joined = "Hepatitis B. What next?\nA. x\nB. y"
    rows = [(2, {"q": "Hepatitis B. What next?", **cells}), (3, {"q": joined, **cells})]
    made = joined_as_asked(rows, file=Path("t.csv"), fields=fields, on_bad=pytest.fail)
    assert [values["q"] for _, values in made] == [joined, joined]


def test_columns_that_are_no_options_need_not_be_in_the_test_file() -> None:
    """Numbers named a and b are features; a test file that lists options needs no columns."""
    rows = [
        {"text": f"what is {k}", "a": k % 2, "b": 1 - k % 2, "label": ["ham", "spam"][k % 2]}
        for k in range(60)
    ]
    write("t.csv", rows)
    write("test.csv", [{"text": f"new {k}", "label": "ham"} for k in range(9)])
    assert "a label (2 different targets" in init("--test", "test.csv")
    write("one-hot.csv", [{**row, "label": k % 2} for k, row in enumerate(rows)])
    assert "options" not in run("init", "h", "--data", "one-hot.csv", "--kind", "label")
    write("q.csv", columns("A B C D", lambda k: "ABCD"[k % 4]))
    listed = [{"question": f"new {k}\nA. x\nB. y\nC. z\nD. w", "answer": "B"} for k in range(9)]
    write("listed.csv", listed)
    run("init", "l", "--data", "q.csv", "--test", "listed.csv")
    assert [row["question"] for row in rows_of(Path("l"), "test")] == [
        row["question"] for row in listed
    ]


def test_options_keep_their_letters() -> None:
    """An empty one in between stays, one at the end goes, and more than ten are told."""
    texts = {"text": ["a", "", "c", "d", ""], "label": [*"ABCDE"]}
    fields = Fields(input="q", target="a", options=["choices"], answers="from_0")
    rows = [
        (1, {"q": "one?", "choices": texts, "a": 2}),
        (2, {"q": "two?", "choices": [*"xyz", ""]}),
    ]
    made = dict(joined_as_asked(rows, file=Path("t"), fields=fields, on_bad=pytest.fail))
    assert made[1] == {**rows[0][1], "q": "one?\nA. a\nB. \nC. c\nD. d", "a": "C"}
    assert made[2]["q"] == "two?\nA. x\nB. y\nC. z"
    write(
        "m.jsonl",
        questions(
            choices=lambda k: [f"{c} of {k}" for c in "abcdefghijkl"], answer=lambda k: k % 10
        ),
    )
    told = run("init", "m", "--data", "m.jsonl", exits=3)
    assert "m.jsonl:1: found 12 options in choices, expected at most 10" in told


def test_raw_rows_with_options_apart_are_refused() -> None:
    """A task file that says they are joined is not used with rows where they are not."""
    write("t.csv", columns("A B C D", lambda k: "ABCD"[k % 4]))
    run("init", "p", "--data", "t.csv")
    task = Task.model_validate(task_of(Path("p")), context={"folder": Path()})
    write("raw.jsonl", columns("A B C D", lambda k: "ABCD"[k % 4]))
    with pytest.raises(DataError, match=r"raw\.jsonl:1: found the column `A` of options"):
        read_raw(Path("raw.jsonl"), task.fields, task.answer)
