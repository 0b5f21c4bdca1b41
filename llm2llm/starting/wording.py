"""Generic prompts to start with, for each kind of task."""

import json
import re
from dataclasses import dataclass
from typing import Any

from llm2llm.starting.kinds import Guess
from llm2llm.tasks.sections import AnswerField

# Names of columns that say what a text is; other names would read oddly in a sentence.
_NOUNS = (
    *("question", "sentence", "message", "review", "comment", "query"),
    *("document", "utterance", "email", "mail", "problem", "title"),
)
_NAME = re.compile(r"[A-Za-z_]\w{0,39}")

# What the seed's question says after the seed itself, whatever the kind.
_AFTER = """
{%- if student_text %}
The student's wrong answer: {{ student_text }}
{%- endif %}
{%- if earlier %}

These were already written for it; write something different:
{%- for each in earlier %}
- {{ each }}
{%- endfor %}
{%- endif %}"""


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of a task: `answer_name` stands before the gold answer, `noun` is the input's.

    `input_field` and `target_field` name what the teacher answers with; a null `target_field`: the
    new example keeps its seed's target. A null `solve`: there are no votes.
    """

    noun: str
    answer_name: str
    input_field: str
    target_field: str | None
    system: str
    solve: str | None
    target_is_json: bool = False

    def seed(self, input_text: str, target: str) -> str:
        """Ask about one seed, without what comes after it."""
        return (
            f"A student got this {self.noun} wrong.\n\n{self.noun.capitalize()}: {input_text}\n"
            f"Correct {self.answer_name}: {target}"
        )

    @property
    def user(self) -> str:
        """The template of the question about a seed."""
        return self.seed("{{ input }}", "{{ target }}") + _AFTER

    @property
    def student(self) -> str:
        """The prompt of a student that writes its answer."""
        return f"{self.noun.capitalize()}: {{{{ input }}}}\n{self.answer_name.capitalize()}: "

    def example(self, input_text: str, target: str) -> str:
        """Write the answer wished for."""
        fields: dict[str, Any] = {self.input_field: input_text}
        if self.target_field is not None:
            fields[self.target_field] = json.loads(target) if self.target_is_json else target
        return json.dumps(fields, ensure_ascii=False)


def wording(guess: Guess, input_column: str, target_column: str, *, arithmetic: bool) -> Wording:
    """Choose the texts for a kind of task."""
    plain = input_column.casefold()
    noun = plain if plain in _NOUNS else "text"
    input_field = input_column if _NAME.fullmatch(input_column) else "input"
    named = _NAME.fullmatch(target_column) and target_column != input_field
    target_field = target_column if named else "target"
    labels = ", ".join(_literal(label) for label in guess.labels)
    if guess.kind == "label":
        return Wording(
            noun,
            "label",
            input_field,
            None,
            f"You write new training examples for a classifier. It gives each {noun} one of these"
            f" labels: {labels}.\n"
            f"- Write ONE new {noun} that has the label you are given, difficult in the same way\n"
            "  as the one that was got wrong, but about something else.\n"
            f"- Keep to the language, style and length of the {noun} shown.\n"
            f"{_reply(input_field)}",
            f"Which of these labels does the {noun} below have: {labels}? Reply with the label"
            " alone.\n\n{{ input }}",
        )
    if guess.kind == "labels":
        between = (
            "separated by commas"
            if guess.separator is None
            else f"with {guess.separator!r} between"
        )
        return Wording(
            noun,
            "labels",
            input_field,
            None,
            f"You write new training examples for a classifier. It gives each {noun} all of these\n"
            f"labels that apply: {labels}.\n"
            f"- Write ONE new {noun} to which exactly the labels you are given apply. It is as\n"
            "  difficult as the one that was got wrong, but about something else.\n"
            f"- Keep to the language, style and length of the {noun} shown.\n"
            f"{_reply(input_field)}",
            f"Which of these labels apply to the {noun} below: {labels}? Reply with all that do,"
            f" {_literal(between)}, and nothing else.\n\n{{{{ input }}}}",
        )
    if guess.kind == "json":
        schema = "\n".join(_told_field(field) for field in guess.fields)
        return Wording(
            noun,
            "answer",
            input_field,
            target_field,
            f"You write new training examples for a student that reads facts out of a {noun}. Its\n"
            f"answer is a JSON object with these fields:\n{schema}\n"
            f"- Write ONE new {noun} that is difficult in the same way as the one that was got\n"
            "  wrong, but about something else, with other names, numbers and dates.\n"
            f"- Keep to the language, style and length of the {noun} shown.\n"
            f"- Its {target_field} is such an object, with what your {noun} says and nothing\n"
            "  else; null stands for what it does not say.\n"
            f"{_reply(input_field, target_field)}",
            f"Read these fields out of the {noun} below, null for what it does not say, and reply"
            f" with the JSON object alone:\n{schema}\n\n{{{{ input }}}}",
            target_is_json=True,
        )
    rules = {
        "choice": (
            f"- Write ONE new {noun} with its options, laid out like the one shown. It needs the\n"
            "  same skill, but is about something else, and exactly one option is right.\n"
            f"- Its {target_field} is the letter of the right option: {labels}.\n"
        ),
        "number": (
            f"- Write ONE new {noun} that needs the same skill but differs in names, numbers and\n"
            "  situation.\n"
            + (
                f"- Its {target_field} is worked out step by step like the one shown, with a last\n"
                "  line of the form `#### answer`.\n"
                if guess.pattern
                else f"- Its {target_field} is the right number alone, written like that shown.\n"
            )
            + (
                "- Each calculation is annotated as <<expression=result>>.\n" if arithmetic else ""
            )
        ),
        "text": (
            f"- Write ONE new {noun} that is difficult in the same way, but about something else.\n"
            f"- Its {target_field} is right, and in the form of the one shown to the letter, as\n"
            "  only the very same text counts as right.\n"
        ),
        "free": (
            f"- Write ONE new {noun} that is difficult in the same way, but about something else,\n"
            "  with other names, numbers and facts.\n"
            f"- Its {target_field} is a good answer: right, complete for what is asked, in style\n"
            "  and length like the one shown. What counts is what it says, not the words.\n"
            f"- Keep to the language, style and length of the {noun} shown.\n"
        ),
    }  # fmt: skip
    solving = {
        "choice": "Reply with the letter of the right option alone.",
        "number": "Solve this step by step. End with a line of the form `#### answer`."
        if guess.pattern
        else "Reply with the number that answers this, alone.",
        "text": "Reply with the answer to this alone.",
        "free": None,  # free texts are nothing to vote with
    }
    solve = solving[guess.kind]
    return Wording(
        noun,
        "answer",
        input_field,
        target_field,
        "You write new training examples for a student who got one wrong.\n"
        f"{rules[guess.kind]}{_reply(input_field, target_field)}",
        None if solve is None else f"{solve}\n\n{{{{ input }}}}",
    )


_TYPES = {
    "text": "a text",
    "number": "a number",
    "date": "a date, written YYYY-MM-DD",
    "bool": "true or false",
    "list": "a list of texts",
}


def _told_field(field: AnswerField) -> str:
    kind = _TYPES.get(field.type) or f"one of {', '.join(map(json.dumps, field.labels or []))}"
    return _literal(f"- {json.dumps(field.name)}: {kind}{'' if field.required else ', or null'}")


def _reply(*fields: str) -> str:
    named = " and ".join(f'"{field}"' for field in fields)
    return f"- Reply with a JSON object with the field{'s' if fields[1:] else ''} {named}, no more."


def _literal(text: str) -> str:
    """Write a text into a template so that it comes out as it is."""
    if re.search(r"\{[{%#]", text):
        return f"{{{{ {json.dumps(text, ensure_ascii=False)} }}}}"
    return text
