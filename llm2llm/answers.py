"""Answers: one way to read and compare them, for gold answers and students alike."""

import re

from llm2llm.arithmetic import plain
from llm2llm.json_answers import Unreadable, canonical_object, read_fields
from llm2llm.labels import choice, label_set, one_label
from llm2llm.quantities import number
from llm2llm.tasks.hook import read as read_by_hook
from llm2llm.tasks.sections import AnswerFormat


def extract(spec: AnswerFormat, text: str) -> str | None:
    """Read the answer in a text, in canonical form; None where there is none, or no single one."""
    return canonical(spec, _cut_out(spec, text))


def why_unreadable(spec: AnswerFormat, text: str) -> str:
    """Say what keeps an answer from being read in a text that holds none."""
    reason = f"no {'text' if spec.kind == 'free' else spec.kind} can be read from the target"
    if spec.fields is not None:
        found = read_fields(spec.fields, _cut_out(spec, text))
        if isinstance(found, Unreadable):
            return f"{reason}: {found.reason}"
    return reason


def canonical(spec: AnswerFormat, answer: str | None) -> str | None:
    """Write an answer so that equal answers are equal texts; None where it cannot be read."""
    stripped = (answer or "").strip()
    if not stripped:
        return None
    if spec.kind == "number":
        value = number(stripped)
        return None if value is None else plain(value)
    if spec.kind == "label":
        return one_label(spec.labels or [], stripped)
    if spec.kind == "choice":
        return choice(spec.labels or [], stripped)
    if spec.kind == "labels":
        return label_set(spec, stripped)
    if spec.fields is not None:
        return canonical_object(spec.fields, stripped)
    if spec.hook is not None:
        return read_by_hook(spec.hook, stripped)
    return " ".join(stripped.split())


def equal(spec: AnswerFormat, a: str | None, b: str | None) -> bool:
    """Compare two answers; one that is missing or cannot be read equals nothing."""
    left, right = canonical(spec, a), canonical(spec, b)
    return left is not None and left == right


def _cut_out(spec: AnswerFormat, text: str) -> str:
    """Give what the pattern's last match captures; without a pattern the whole text."""
    if spec.pattern is None:
        return text
    matches = list(re.finditer(spec.pattern, text))
    return (matches[-1][1] or "") if matches else ""
