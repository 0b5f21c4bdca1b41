"""Claims about reading candidates from a teacher's response."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.parsing import Candidate, Unparsable, parse_candidates
from llm2llm.tasks.sections import ResponseFormat

JSON = ResponseFormat(kind="json", input="question", target="answer", pattern=None)
JSON_ONE = ResponseFormat(kind="json", input="text", target=None, pattern=None)
TEXT = ResponseFormat(
    kind="text", input="q", target="a", pattern=r"Q: (?P<q>.*)\nA: (?P<a>.*)(?:\n|$)"
)
OBJECT = '{"question": "Q?", "answer": "#### 1"}'
ONE = [Candidate("Q?", "#### 1")]


@pytest.mark.parametrize(
    "text",
    [
        OBJECT,
        f"```json\n{OBJECT}\n```",
        f"Sure! Here is {{one}} [example]:\n{OBJECT}\nHope this helps {{}}.",
        f"<think>maybe {OBJECT.replace('Q?', 'draft')}</think>\n{OBJECT}",
        f"[{OBJECT}]",
        f'{{"examples": [{OBJECT}]}}',
        '{"note": 3, "question": " Q? ", "answer": "#### 1\\n"}',
    ],
)
def test_json_is_found_wherever_it_stands(text: str) -> None:
    """An object alone, fenced, between other text, in a list or a wrapper gives its candidate."""
    assert parse_candidates(text, JSON, "seed") == ONE


def test_all_objects_are_read_in_order() -> None:
    """Lists and several objects one after the other give all their candidates."""
    second = OBJECT.replace("Q?", "R?")
    for text in (f"[{OBJECT}, {second}]", f"{OBJECT}\n\n{second}"):
        assert parse_candidates(text, JSON, "s") == [*ONE, Candidate("R?", "#### 1")]


def test_line_ends_within_strings_are_taken() -> None:
    """A line end that is not escaped does not spoil the JSON."""
    text = '{"question": "a\nb", "answer": "c"}'
    assert parse_candidates(text, JSON, "s") == [Candidate("a\nb", "c")]


def test_target_of_the_seed_is_kept_where_the_format_says() -> None:
    """Without a target field the candidate has its seed's target."""
    assert parse_candidates('{"text": "Who?"}', JSON_ONE, "HUM") == [Candidate("Who?", "HUM")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("<think>for ever</think>  ", "empty"),
        ("I cannot help with that.", "no JSON object"),
        ('{"question": "Q?", "answer": ', "no JSON object"),
        ("[" * 100_000, "nested too deeply|no JSON object"),
        ('{"problem": "Q?"}', "no JSON object"),
        ('{"question": "Q?"}', "'answer' is missing"),
        ('{"question": "Q?", "answer": null}', "'answer' is missing"),
        ('{"question": "Q?", "answer": 4}', "'answer' is int, expected text"),
        ('{"question": ["Q?"], "answer": "4"}', "'question' is list, expected text"),
        ('{"question": " ", "answer": "4"}', "'question' is empty"),
        ('{"question": "\\ud800", "answer": "4"}', "half a surrogate pair"),
        (f'[{OBJECT}, {{"question": "R?"}}]', "'answer' is missing"),
    ],
)
def test_unparsable_responses_say_why(text: str, reason: str) -> None:
    """What gives no candidate gives a reason that names the field."""
    parsed = parse_candidates(text, JSON, "s")
    assert isinstance(parsed, Unparsable)
    assert any(part in parsed.reason for part in reason.split("|")), parsed.reason


def test_text_is_read_by_named_groups() -> None:
    """The kind `text` gives a candidate for each match of its pattern."""
    assert parse_candidates("Q: one\nA: 1\nQ: two\nA: 2", TEXT, "s") == [
        Candidate("one", "1"),
        Candidate("two", "2"),
    ]
    assert isinstance(parse_candidates("Q: one", TEXT, "s"), Unparsable)
    assert parse_candidates("Q: one\nA:  \n", TEXT, "s") == Unparsable("field 'a' is empty")


@pytest.mark.parametrize("pattern", [None, "(", "(?P<q>.*)"])
def test_unusable_pattern_is_the_tasks_fault(pattern: str | None) -> None:
    """No pattern, one that does not compile, one without a group: the section is refused."""
    with pytest.raises(ValueError, match="pattern: "):
        ResponseFormat(kind="text", input="q", target="a", pattern=pattern)


@given(st.text(min_size=1), st.text(min_size=1), st.text(max_size=20), st.booleans())
def test_what_is_written_as_json_is_read_back(
    question: str, answer: str, around: str, ascii_only: bool
) -> None:
    """Any visible texts survive JSON in a fence, whatever stands around it."""
    if not question.strip() or not answer.strip() or set(around) & set('{["') or "</" in around:
        return
    body = json.dumps({"question": question, "answer": answer}, ensure_ascii=ascii_only)
    if "</think>" in body:
        return
    parsed = parse_candidates(f"{around}\n```json\n{body}\n```\n{around}", JSON, "s")
    assert parsed == [Candidate(question.strip(), answer.strip())]
