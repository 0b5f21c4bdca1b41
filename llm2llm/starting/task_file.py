"""Write a task file, with comments, from what a table's rows look like."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from llm2llm.starting.gathering import RawRow
from llm2llm.starting.kinds import Guess
from llm2llm.starting.wording import Wording, wording

_JINJA = re.compile(r"\{\{|\{%|\{#")
_ANNOTATION = re.compile(r"<<[^<>=]+=[^<>]+>>")
_WORD = re.compile(r"[A-Za-z][\w-]*")
_FEWEST_CHARS = 200
_LABELED = ("label", "labels")
# Of more rows no pair is looked for, as sets of labels may all differ.
_MOST_PAIRED = 500


def task_text(
    guess: Guess,
    columns: tuple[str, str],
    rows: Sequence[RawRow],
    *,
    name: str,
    description: str,
    classifier: bool,
    chat: bool,
    made_of: Mapping[str, Sequence[str]] | None = None,
    answers: str | None = None,
) -> str:
    """Write the YAML of a task; `rows` are train rows, as two of them become the worked exchange.

    A classifier reads the input alone; `chat` puts the prompt into the model's own chat template.
    `made_of` names columns of the source that were joined, as `inputs` and as `options`;
    `answers` says how answers named options.
    """
    arithmetic = is_arithmetic(guess, rows)
    words = wording(guess, *columns, arithmetic=arithmetic)
    exchange = _exchange(guess, words, rows)
    max_input = _round_up(2 * max(len(row.input) for row in rows))
    max_target = _round_up(2 * max(len(row.target) for row in rows))
    labels = list(guess.labels) or None
    prompt = "{{ input }}" if classifier else words.student
    return f"""\
# What this task is: `llm2llm task check` shows the prompts on rows of yours and finds faults.
# Raise `version` when you change something; DVC runs again what a change concerns, and no more.
name: {_scalar(name)}
version: 1
description: {_scalar(description)}
citation: {_scalar("none given")}
fields:  # the columns of the raw rows
  input: {_scalar(columns[0])}
  target: {_scalar(columns[1])}{_made_of_yaml(made_of or {}, answers)}
student:
  prompt: {_scalar(prompt)}  # the target follows it
  chat: {_bool(chat)}  # true: the prompt is the user's turn of the model's own chat template
answer:  # how an answer is read from a text and compared; docs/student.md has the kinds
  kind: {guess.kind}
  pattern: {_scalar(guess.pattern)}  # group 1 of its last match is the answer; null: the whole text
  labels: {_scalar(labels)}{_parts_yaml(guess)}
teacher:
  # The rules. Say here what a stranger would have to know{_advice(guess)}.
  system: {_block(words.system)}
  # One question and the answer wished for, from your own train rows; null: none.
  exchange:{_exchange_yaml(exchange)}
  # The question about a seed. Templates know input, target, student_text and earlier.
  user: {_block(words.user)}
  show_student_text: true  # false: the student's wrong answer is not shown
  show_earlier: false  # true: what was already written for this seed is shown
  solve: {_scalar(None) if words.solve is None else _block(words.solve)}
  response:  # how an example is read from the teacher's answer
    kind: json
    input: {_scalar(words.input_field)}
    target: {_scalar(words.target_field)}  # null: the new example keeps its seed's target
    pattern: null
validity:  # what makes an answer an example at all
  max_input_chars: {max_input}  # twice the longest of yours
  max_target_chars: {max_target}
  arithmetic: {_bool(arithmetic)}  # true: every <<a=b>> must hold, and the last be the answer
  same_answer: {_bool(guess.kind in _LABELED)}  # true: the answer must be the seed's
leakage:
  masked: {_bool(guess.pattern is not None)}  # true: compare with numbers and names masked too
  templated: false  # true: seeds and test come from the same templates
"""


def _made_of_yaml(made_of: Mapping[str, Sequence[str]], answers: str | None) -> str:
    told = {"joined": "inputs", "options": "options"}
    return "".join(
        f"\n  {key}: {_scalar(list(made_of[name]))}  # columns that `llm2llm predict` joins too"
        for key, name in told.items()
        if name in made_of
    ) + (f"\n  answers: {answers}  # how theirs name an option" if answers else "")


def is_arithmetic(guess: Guess, rows: Sequence[RawRow]) -> bool:
    """Tell whether most targets are worked out with `<<a=b>>`, as GSM8K's are."""
    annotated = sum(bool(_ANNOTATION.search(row.target)) for row in rows)
    return guess.pattern is not None and 2 * annotated > len(rows)


def _advice(guess: Guess) -> str:
    if guess.fields:
        return ": for each field, what belongs in it"
    return ": for each label, when it applies" if guess.kind in _LABELED else ""


def _exchange(guess: Guess, words: Wording, rows: Sequence[RawRow]) -> tuple[str, str] | None:
    """Choose two rows of usual length, of one label where there are labels."""
    fit = [row for row in rows if not _JINJA.search(row.input + row.target)]
    if not fit:
        return None
    usual = sorted(len(row.input) + len(row.target) for row in fit)[len(fit) // 2]
    fit.sort(key=lambda row: (abs(len(row.input) + len(row.target) - usual), row.line))
    if guess.kind == "labels":
        fit = fit[:_MOST_PAIRED]
    for place, seed in enumerate(fit):
        for new in fit[place + 1 :]:
            if guess.kind not in _LABELED or new.target == seed.target:
                return words.seed(seed.input, seed.target), words.example(new.input, new.target)
    return None


def _parts_yaml(guess: Guess) -> str:
    """Write what sets of labels and JSON answers need besides."""
    if guess.kind == "labels":
        told = "between two labels; null: commas, semicolons or line ends"
        return f"\n  separator: {_scalar(guess.separator)}  # {told}"
    if not guess.fields:
        return ""
    lines = [
        "\n  # type: text, number, date, label, bool or list (of texts). compare: exact; or",
        "  # normalized: no regard to case, a list's order, and how numbers and dates are written.",
        "  fields:",
    ]
    for field in guess.fields:
        labels = f", labels: {_scalar(field.labels)}" if field.labels else ""
        lines.append(
            f"    - {{name: {_scalar(field.name)}, type: {field.type}, required:"
            f" {_bool(field.required)}, compare: {field.compare}{labels}}}"
        )
    return "\n".join(lines)


def _exchange_yaml(exchange: tuple[str, str] | None) -> str:
    if exchange is None:
        return " null"
    user, assistant = exchange
    return f"\n    user: {_block(user, 6)}\n    assistant: {_block(assistant, 6)}"


def _round_up(n: int) -> int:
    return max(_FEWEST_CHARS, -(-n // 100) * 100)


def _bool(value: bool) -> str:
    return "true" if value else "false"


def _scalar(value: Any) -> str:
    """Write a value on one line; JSON is YAML, and leaves no text to be taken for something else.

    YAML allows no control characters besides tab and newline but as escapes; JSON's own would cut
    characters beyond U+FFFF in two.
    """
    if isinstance(value, str) and _WORD.fullmatch(value) and yaml.safe_load(value) == value:
        return value
    text = json.dumps(value, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in text)


def _block(text: str, indent: int = 4) -> str:
    """Write a text as a literal block where YAML reads it back unchanged, else on one line."""
    lines = "\n".join(" " * indent + line if line else "" for line in text.split("\n"))
    block = f"|-\n{lines}"
    try:
        same = yaml.safe_load(f"{' ' * (indent - 2)}a: {block}\n") == {"a": text}
    except yaml.YAMLError:
        same = False
    return block if same else _scalar(text)
