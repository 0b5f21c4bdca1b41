"""`llm2llm init` with JSON targets of which a row or a value is unlike the others."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from test_cli_init import folder as _in_an_empty_folder  # noqa: F401 - a fixture of every test
from test_cli_init import run, task_of


def invoices(odd: Mapping[int, Any], n: int = 100) -> None:
    """Write rows with JSON targets to t.jsonl; `odd` has those of single rows."""
    rows = []
    for k in range(n):
        target = {"vendor": f"v{k}", "total": k, "due": f"2024-05-{1 + k % 28:02}", "sum": str(k)}
        facts = odd.get(k, {})
        if isinstance(facts, dict):
            facts = {name: value for name, value in (target | facts).items() if value is not None}
            facts = json.dumps(facts)
        rows.append({"mail": f"mail {k}", "facts": facts})
    Path("t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def init(*options: str, exits: int = 0) -> str:
    """Make the project p from t.jsonl."""
    columns = ("--input", "mail", "--target", "facts")
    return run("init", "p", "--data", "t.jsonl", *columns, *options, exits=exits)


def test_a_target_that_is_no_object_is_told_or_left_out() -> None:
    """By file and line, told the kind or not; dropped, it is counted."""
    invoices({6: '{"vendor": "v6"'})
    for options in ((), ("--kind", "json")):
        told = init(*options, exits=3)
        assert 't.jsonl:7: the target \'{"vendor": "v6"\' is no JSON object, as those of 99' in told
    assert "1 no JSON object" in init("--drop-bad-rows")
    assert task_of(Path("p"))["answer"]["kind"] == "json"


def test_a_value_of_another_type_is_told() -> None:
    """With file, line, the value, and what the others are."""
    invoices({41: {"total": "42 USD"}})
    told = init(exits=2)
    assert "t.jsonl:42: the field 'total' of the JSON targets holds number and text" in told
    assert '(here "42 USD", number in 99 of 100 rows)' in told


def test_a_field_that_few_rows_have_is_told() -> None:
    """A slip of the pen makes one; the likeliest of the others is named."""
    invoices({2: {"vendor": None, "vendr": "x"}})
    note = "the field `vendr` occurs in 1 of 100 rows (t.jsonl:3); is `vendor` meant?"
    assert f"note: {note}\n" in init()
    invoices({2: {"vendor": None, "vendr": "x"}})
    columns = ("--input", "mail", "--target", "facts")
    found = json.loads(run("init", "q", "--data", "t.jsonl", *columns, "--json"))
    assert found["notes"] == [note]


def test_values_that_alone_are_no_date_or_number_are_told() -> None:
    """They make a field text; where many are none, nothing is said."""
    invoices({2: {"due": "in May"}, 3: {"sum": "7 or 8"}, 4: {"sum": "?"}})
    told = init()
    assert 'the field `due` is text: 99 of 100 are dates, t.jsonl:3 "in May" is not\n' in told
    assert 'the field `sum` is text: 98 of 100 are numbers, t.jsonl:4 "7 or 8" is not, nor' in told
    invoices({k: {"due": "soon"} for k in range(9)})
    columns = ("--input", "mail", "--target", "facts")
    assert "note:" not in run("init", "q", "--data", "t.jsonl", *columns)


def test_cells_that_are_joined_are_compared_too() -> None:
    """Of several target columns, by the line of the CSV."""
    rows = "".join(f"mail {k},v{k},{k if k != 8 else 'ten'}\n" for k in range(60))
    Path("t.csv").write_text("mail,vendor,total\n" + rows, encoding="utf-8")
    told = run("init", "p", "--data", "t.csv", "--target", "vendor", "--target", "total")
    assert 'the field `total` is text: 59 of 60 are numbers, t.csv:10 "ten" is not\n' in told
