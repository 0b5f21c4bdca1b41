"""Sets of labels and JSON answers: read whole or not at all, and equal only where they are."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from order_mails import order_mails
from pydantic import ValidationError
from teacher_server import orders_answer
from typer.testing import CliRunner

from llm2llm.answers import canonical, equal, extract, why_unreadable
from llm2llm.cli.main import app
from llm2llm.dates import day
from llm2llm.exceptions import StudentError
from llm2llm.json_answers import json_schema
from llm2llm.json_cells import object_of_cells
from llm2llm.params.whole import problems
from llm2llm.parsing import Candidate
from llm2llm.starting.json_fields import infer_fields
from llm2llm.student.classes import labels_of
from llm2llm.tasks.sections import AnswerField, AnswerFormat, ResponseFormat, Validity
from llm2llm.teacher_prompts import response_schema
from llm2llm.validity import Criteria, read_response

TOPICS = ["billing", "late delivery", "damage", "Other"]
TYPES = ("text", "number", "date", "label", "bool", "list")


def labels(separator: str | None = None, names: list[str] | None = None) -> AnswerFormat:
    """Make the format of a set of labels."""
    return AnswerFormat(kind="labels", pattern=None, labels=names or TOPICS, separator=separator)


def field(name: str, **changed: Any) -> AnswerField:
    """Make a field, a required text compared exactly unless told otherwise."""
    kind = changed.get("type", "text")
    usual = {"type": kind, "required": True, "compare": "exact"}
    return AnswerField(
        name=name, labels=["open", "shut"] if kind == "label" else None, **{**usual, **changed}
    )


def form(*fields: AnswerField, pattern: str | None = None) -> AnswerFormat:
    """Make the format of a JSON answer."""
    return AnswerFormat(kind="json", pattern=pattern, labels=None, fields=list(fields))


EVERY = form(*(field(kind, type=kind) for kind in TYPES))
LOOSE = form(*(field(kind, type=kind, compare="normalized", required=False) for kind in TYPES))
VALUE = st.fixed_dictionaries(
    {
        "text": st.text(min_size=1, max_size=20).filter(str.strip),
        "number": st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6).map(lambda x: round(x, 6)),
        "date": st.dates().map(lambda each: each.isoformat()),
        "label": st.sampled_from(["open", "shut"]),
        "bool": st.booleans(),
        "list": st.lists(st.text("abcXYZ ", min_size=1).filter(str.strip), max_size=3),
    }
)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("billing", "billing"),
        ("damage, billing", "billing, damage"),
        ("BILLING; damage\nbilling", "billing, damage"),
        ("Topics: late delivery, and other.", "late delivery, Other"),
        ('["damage", "billing"]', "billing, damage"),
        (" , damage,, ", "damage"),
        ("damage, theft", None),
        ("damage or billing", None),
        ("theft", None),
        (",;", None),
        ("", None),
    ],
)
def test_a_set_is_read_whole_or_not_at_all(text: str, answer: str | None) -> None:
    """Order, case and repetition do not matter; one part that is no single label spoils it."""
    assert extract(labels(), text) == answer


@given(
    st.sets(st.sampled_from(TOPICS), min_size=1), st.randoms(), st.sampled_from([None, "|", "/"])
)
def test_sets_are_equal_in_every_order(chosen: set[str], rng: Any, separator: str | None) -> None:
    """However it is ordered, repeated and cased a set is itself, and reads back as itself."""
    spec = labels(separator)
    parts = [*chosen, *rng.sample(sorted(chosen), rng.randint(0, len(chosen)))]
    rng.shuffle(parts)
    written = f" {separator or ';'} ".join(rng.choice([str.upper, str.title])(p) for p in parts)
    once = extract(spec, written)
    assert once is not None
    assert canonical(spec, once) == once
    assert equal(spec, once, (separator or ",").join(sorted(chosen)))


@given(*[st.sets(st.sampled_from(TOPICS), min_size=1)] * 2)
def test_different_sets_are_never_equal(one: set[str], other: set[str]) -> None:
    """A set equals another exactly where both hold the same labels."""
    assert equal(labels(), ",".join(one), ", ".join(other)) == (one == other)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"labels": ["a, b", "c"]}, "is in 'a, b'"),
        ({"labels": ["a/b", "c"], "separator": "/"}, "is in 'a/b'"),
        ({"labels": [" a", "b"]}, "no blanks around a label"),
        ({"labels": None}, "labels: a list"),
        ({"separator": ""}, "at least 1 character"),
        ({"kind": "label", "separator": "|"}, "separator: set for the kind labels alone"),
        ({"kind": "json", "labels": None}, "fields: a list for the kind json"),
        ({"fields": [field("a")]}, "fields: a list for the kind json"),
    ],
)
def test_a_format_that_cannot_hold_is_refused(changes: dict[str, Any], problem: str) -> None:
    """A label that its separator cuts in two, and keys of other kinds, are told."""
    values = {"kind": "labels", "pattern": None, "labels": ["a", "b"], **changes}
    with pytest.raises(ValidationError, match=problem):
        AnswerFormat(**values)


def test_a_schema_that_cannot_hold_is_refused() -> None:
    """Unknown types, fields named twice and labels without their type are told."""
    with pytest.raises(ValidationError, match="'text', 'number', 'date'"):
        field("a", type="colour")
    with pytest.raises(ValidationError, match="each name once, not 'a' twice"):
        form(field("a"), field("b"), field("a", type="number"))
    with pytest.raises(ValidationError, match="labels: a list for the type label"):
        AnswerField(name="a", type="text", required=True, compare="exact", labels=["x"])


def test_older_formats_are_written_as_before() -> None:
    """What is hashed of a format without the new keys has none of them."""
    plain = AnswerFormat(kind="label", pattern=None, labels=["a"])
    assert plain.model_dump() == {"kind": "label", "pattern": None, "labels": ["a"], "hook": None}
    for spec in (labels("|"), EVERY):
        assert AnswerFormat.model_validate(spec.model_dump()) == spec


@given(VALUE, st.randoms())
def test_objects_are_equal_in_every_order(value: dict[str, Any], rng: Any) -> None:
    """The order and layout of fields is no difference, and a canonical answer reads as itself."""
    names = list(value)
    rng.shuffle(names)
    shuffled = json.dumps({name: value[name] for name in names}, indent=rng.choice([None, 2]))
    for spec in (EVERY, LOOSE):
        once = extract(spec, f"So:\n```json\n{shuffled}\n```")
        assert once is not None
        assert canonical(spec, once) == once
        assert equal(spec, json.dumps(value, ensure_ascii=False), once)


@given(VALUE, VALUE, st.sampled_from(TYPES))
def test_one_other_field_makes_another_answer(
    value: dict[str, Any], other: dict[str, Any], name: str
) -> None:
    """Compared exactly, objects are equal only where every field is."""

    def plain(found: Any) -> Any:
        return [" ".join(each.split()) for each in ([found] if isinstance(found, str) else found)]

    changed = {**value, name: other[name]}
    pair = (value[name], other[name])
    same = pair[0] == pair[1] if name in ("number", "bool") else plain(pair[0]) == plain(pair[1])
    assert equal(EVERY, json.dumps(value), json.dumps(changed)) == same


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "there is no JSON object"),
        ("A17", "there is no JSON object"),
        ('[{"a": "x"}]', "there is no JSON object"),
        ('{"a": "x"', "no whole JSON object"),
        ('{"n": NaN, "a": "x"}', "no whole JSON object"),
        ('{"a": "x"} {"a": "y"}', "more than one JSON object"),
        ('{"a": "x", "a": "x"}', "field 'a' stands twice"),
        ('{"a": "x", "b": 1}', "the schema has no field 'b'"),
        ("{}", "field 'a' is missing"),
        ('{"a": null}', "field 'a' is missing"),
        ('{"a": "  "}', "field 'a' is missing"),
        ('{"a": 5}', "field 'a' is 5, expected text"),
        ('{"a": {"b": "x"}}', "expected text"),
        ('{"a": "\\ud800"}', "field 'a' is \"\\ud800\", expected text"),
        ('{"a": "x", "n": "5"}', "expected a number"),
        ('{"a": "x", "n": true}', "expected a number"),
        ('{"a": "x", "n": 1e999}', "expected a number"),
        ('{"a": ' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_object_of_the_schema_is_unparsable(text: str, reason: str) -> None:
    """Each answer that does not fit is told, and equals nothing."""
    spec = form(field("a"), field("n", type="number", required=False))
    assert extract(spec, text) is None
    assert not equal(spec, text, text)
    told = why_unreadable(spec, text)
    assert reason in told
    assert told.encode()  # it goes into files


@pytest.mark.parametrize(
    ("kind", "exact", "loose", "never"),
    [
        ("text", ['"New  York"', '" New York "'], ['"new york."'], ['"York"', '"New-York"']),
        ("number", ["5", "5.0", "0.5e1"], ['"5 apples"', '"+5"'], ["-5", "50", '"5 or 6"']),
        ("date", ['"2024-05-03"'], ['"3 May 2024"', '"2024/5/3"'], ['"2024-03-05"', '"5/3/2024"']),
        ("label", ['"open"'], ['"Open"'], ['"shut"', '"open or shut"']),
        ("bool", ["true"], ['"yes"'], ["false", '"maybe"']),
        ("list", ['["b", "a"]'], ['["A", "b"]'], ['["a"]', '["a", "b", "b"]', '["a", 1]']),
    ],
)
def test_forms_of_a_value(kind: Any, exact: list[str], loose: list[str], never: list[str]) -> None:
    """Exactly compared fields tell forms apart that normalized ones take for the same."""
    one, other = (form(field("x", type=kind, compare=how)) for how in ("exact", "normalized"))
    first = f'{{"x": {exact[0]}}}'
    for text in exact:
        assert equal(one, first, f'{{"x": {text}}}')
    for text in loose:
        assert not equal(one, first, f'{{"x": {text}}}')
        assert equal(other, first, f'{{"x": {text}}}')
    for text in never:
        assert not equal(one, first, f'{{"x": {text}}}')
        assert not equal(other, first, f'{{"x": {text}}}')


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3rd of May, 2024", "2024-05-03"),
        ("Sept. 9 2024", "2024-09-09"),
        ("3.5.2024", "2024-05-03"),
        ("29 February 2023", None),
        ("3/5/2024", None),
        ("May 2024", None),
        ("3 Mai 2024", None),
        ("2024-05-03T10:00", None),
    ],
)
def test_days_are_read_where_one_day_alone_is_meant(text: str, found: str | None) -> None:
    """A text that could mean two days, or none of the calendar, is not guessed at."""
    assert day(text, iso_only=False) == found
    assert day(text, iso_only=True) is None


@given(st.decimals(-(10**6), 10**6, places=12), st.integers(-3, 3))
def test_numbers_of_any_length_compare_exactly(value: Any, difference: int) -> None:
    """The twelfth decimal is a difference, and no number is rounded to a machine's."""
    spec = form(field("x", type="number"))
    other = value + difference * type(value)("1e-12")
    one = extract(spec, f'{{"x": {value:f}}}')
    assert one is not None
    assert equal(spec, one, f'{{"x": {other:f}}}') == (difference == 0)


RESPONSE = ResponseFormat(kind="json", input="mail", target="answer", pattern=None)
ORDER = form(field("order"), field("due", type="date", required=False))


def read(text: str, answer: AnswerFormat = ORDER, response: ResponseFormat = RESPONSE) -> Any:
    """Read a response about a seed."""
    validity = Validity(
        max_input_chars=99,
        max_target_chars=99,
        arithmetic=False,
        same_answer=answer.kind == "labels",
    )
    seed = Candidate("old mail", '{"order": "A1"}' if answer is ORDER else "damage, billing")
    return read_response(text, "stop", seed, Criteria(response, answer, validity))[0]


def test_a_candidates_object_is_checked_against_the_schema() -> None:
    """It becomes text in the schema's order without nulls; one that does not fit says why."""
    answered = {"mail": "new", "answer": {"due": None, "order": "B2"}}
    assert read(json.dumps(answered)).candidate == Candidate("new", '{"order": "B2"}')
    as_text = {"mail": "new", "answer": '{"order": "B2"}'}
    assert read(json.dumps(as_text)).candidate == Candidate("new", '{"order": "B2"}')
    bad = read(json.dumps({"mail": "new", "answer": {"order": "B2", "due": "soon"}}))
    assert bad.gate == "validity"
    assert "field 'due' is \"soon\", expected a date" in bad.reason
    assert read('{"mail": "new", "answer": ["B2"]}').gate == "parse"


def test_a_candidate_keeps_its_seeds_labels() -> None:
    """The target is not asked for where the example has the labels that its seed has."""
    response = ResponseFormat(kind="json", input="text", target=None, pattern=None)
    found = read('{"text": "new"}', labels(), response)
    assert (found.candidate, found.reason) == (Candidate("new", "damage, billing"), None)


def test_the_teacher_is_given_the_schema_of_the_object() -> None:
    """Every field is asked for, and only those that may be missing may be null."""
    schema = response_schema(RESPONSE, ORDER.fields)
    assert schema["properties"]["mail"] == {"type": "string"}
    answer = schema["properties"]["answer"]
    assert answer["required"] == ["order", "due"]
    assert answer["additionalProperties"] is False
    assert answer["properties"]["order"] == {"type": "string"}
    assert answer["properties"]["due"]["type"] == ["string", "null"]
    status = json_schema([field("s", type="label", required=False)])["properties"]["s"]
    assert status["enum"] == ["open", "shut", None]


def test_columns_of_their_own_make_the_object() -> None:
    """Cells become values of their field's type, and empty ones are left out."""
    fields = [field("n", type="number"), field("code"), field("ok", type="bool"), field("x")]
    row = {"n": "007", "code": "007", "ok": "TRUE", "x": " ", "other": 1}
    assert object_of_cells(fields, row) == '{"n": "007", "code": "007", "ok": true}'
    assert object_of_cells(fields, {**row, "n": "7.50"})[:10] == '{"n": 7.50'
    assert object_of_cells(fields, {"other": 1}) is None


def test_a_classifier_of_sets_is_refused() -> None:
    """It would give one label of several."""
    with pytest.raises(StudentError, match="set `kind: causal`"):
        labels_of(labels())


def test_validate_refuses_a_classifier_of_free_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classifier and a task without labels are a contradiction before any work, not after it."""
    monkeypatch.chdir(tmp_path)
    Path("d.csv").write_text(
        "\n".join(["question,answer", *(f"how much is {k} and {k},{2 * k}" for k in range(40))]),
        encoding="utf-8",
    )
    command = ["init", "p", "--data", "d.csv", "--kind", "number", "--teacher", "ollama"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    monkeypatch.chdir(tmp_path / "p")
    params = Path("params.yaml")
    text = params.read_text(encoding="utf-8")
    assert "kind: causal" in text
    params.write_text(text.replace("kind: causal", "kind: classifier"), encoding="utf-8")
    [problem] = [
        line for line in problems(params, Path("stages/pool.yaml")) if "classifier" in line
    ]
    assert "`answer` section has no labels" in problem and "`kind: causal`" in problem


def test_the_walks_mails_and_its_teacher_fit_one_schema() -> None:
    """Rows for extraction tasks are the same every time, and the stand-in teacher writes more."""
    rows = order_mails(120)
    assert rows == order_mails(120)
    assert len({text for text, _ in rows}) == 120
    fields = infer_fields([json.dumps(answer) for _, answer in rows])
    found = [(each.name, each.type, each.required) for each in fields]
    assert found == [
        *(("order", "text", True), ("goods", "text", True)),
        *(("amount", "number", True), ("due", "date", False)),
    ]
    for number in range(20):
        reading = read(orders_answer("", random.Random(number)), form(*fields))
        assert reading.reason is None
        assert extract(form(*fields), reading.candidate.target) is not None
