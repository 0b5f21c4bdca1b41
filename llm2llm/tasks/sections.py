"""The sections of a task file; each stage reads, and depends on, only those it needs."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from llm2llm.params.section import Section


class Fields(Section):
    """Names of the raw rows' fields that hold the input and the target.

    `joined` and `options` name columns of a person's file that `llm2llm init` put into the input:
    as lines `name: cell`, and as lines `A. ...` under it; `answers` says how answers named options.
    """

    input: str
    target: str
    joined: list[str] | None = None
    options: list[str] | None = None
    answers: Literal["mark", "letter", "text", "from_0", "from_1"] | None = None


class StudentFormat(Section):
    """How the student sees a row, in training and in inference alike.

    `prompt` is a Jinja template over `input`; the target and the end token follow it. With
    `chat` true the prompt is the user's turn of the base model's own chat template.
    """

    prompt: str
    chat: bool


class Hook(Section):
    """A Python function that reads an answer: text in, its canonical form or None out.

    `function` is `module:name` or `file.py:name`, the file beside the task file. `sha256` is that
    of the module's file, so that whoever watches this section watches the code.
    """

    function: Annotated[str, Field(pattern=r"^[^:]+:[A-Za-z_]\w*$")]
    sha256: str
    _folder: Path = PrivateAttr(default=Path())

    def model_post_init(self, context: Any, /) -> None:
        """Note the folder that the section was loaded from, which is no part of its content."""
        if context is not None:
            self._folder = context["folder"]

    @property
    def folder(self) -> Path:
        """The task file's folder."""
        return self._folder


class AnswerField(Section):
    """One field of a JSON answer: its type, and how two values of it compare.

    `labels` is set exactly for the type label. A field that is not required may be missing or null.
    """

    name: Annotated[str, Field(pattern=r"\S")]
    type: Literal["text", "number", "date", "label", "bool", "list"]
    required: bool
    compare: Literal["exact", "normalized"]
    labels: list[str] | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> "AnswerField":
        if (self.type == "label") != bool(self.labels):
            raise ValueError("labels: a list for the type label, none for the others")
        return self

    @model_serializer(mode="wrap")
    def _without_unset(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _without(write(self), "labels")


class AnswerFormat(Section):
    """How an answer is read from a text, and compared.

    `pattern` is a regular expression whose group 1, at its last match, is the answer; null takes
    the whole stripped text. `labels` is set exactly for the kinds label, choice and labels, `hook`
    exactly for the kind python, `fields` exactly for the kind json; the other kinds need not name
    them. Texts of the kind free compare as those of the kind text do; where they differ a judge is
    asked. `separator` stands between the labels of the kind labels; null: commas, semicolons or
    line ends.
    """

    kind: Literal["number", "label", "choice", "labels", "text", "free", "json", "python"]
    pattern: str | None
    labels: list[str] | None
    hook: Hook | None = None
    separator: Annotated[str, Field(min_length=1)] | None = None
    fields: list[AnswerField] | None = None

    @model_validator(mode="after")
    def _holds_together(self) -> "AnswerFormat":
        if self.pattern is not None and _compiled(self.pattern).groups < 1:
            raise ValueError("pattern: a regular expression with a group ( ) around the answer")
        if (self.kind in ("label", "choice", "labels")) != bool(self.labels):
            raise ValueError(
                "labels: a list for the kinds label, choice and labels, null for the others"
            )
        if (self.kind == "python") != (self.hook is not None):
            raise ValueError("hook: function and sha256 for the kind python, null for the others")
        if (self.kind == "json") != bool(self.fields):
            raise ValueError("fields: a list for the kind json, none for the others")
        names = [field.name for field in self.fields or []]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"fields: each name once, not {', '.join(map(repr, twice))} twice")
        self._can_be_told_apart()
        return self

    def _can_be_told_apart(self) -> None:
        if self.kind != "labels":
            if self.separator is not None:
                raise ValueError("separator: set for the kind labels alone")
            return
        for label in self.labels or []:
            if not label.strip() or label != label.strip():
                raise ValueError(f"labels: no blanks around a label, as in {label!r}")
            if [part.strip() for part in self.parts(label)] != [label]:
                raise ValueError(
                    f"separator: one that is in no label, as it is in {label!r}; name another"
                )

    def why_no_classes(self) -> str | None:
        """Say why no classifier can give such answers; null where one can."""
        if self.kind == "labels":
            return (
                "`train_iter.kind`: found classifier, which gives one label, but the task's answers"
                " are sets of labels; set `kind: causal`, with a causal base model"
            )
        if not self.labels:
            return (
                "`train_iter.kind`: found classifier, but the task's `answer` section has no"
                " labels, expected some to tell apart; list them there, or set `kind: causal`"
            )
        return None

    def parts(self, text: str) -> list[str]:
        """Cut a text where labels of a set are separated."""
        if self.separator is None:
            return re.split(r"[,;\n]", text)
        return text.split(self.separator)

    @model_serializer(mode="wrap")
    def _without_unset(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # What is hashed and written for the kinds that have neither stays as it was.
        return _without(write(self), "separator", "fields")


class ResponseFormat(Section):
    """How a candidate is read from a response: a JSON object, or a pattern with named groups.

    `input` and `target` name the object's fields (or the groups). `target` null means that the
    candidate keeps its seed's target, as in classification.
    """

    kind: Literal["json", "text"]
    input: str
    target: str | None
    pattern: str | None

    @model_validator(mode="after")
    def _holds_together(self) -> "ResponseFormat":
        if (self.kind == "text") != (self.pattern is not None):
            raise ValueError("pattern: a regular expression for kind text, null for kind json")
        if self.pattern is not None:
            groups = _compiled(self.pattern).groupindex
            lacking = [name for name in (self.input, self.target) if name and name not in groups]
            if lacking:
                raise ValueError(f"pattern: one with the named groups {', '.join(lacking)}")
        return self


class WorkedExchange(Section):
    """One exchange shown before the question: what was asked, and the answer wished for."""

    user: str
    assistant: str


class TeacherPrompt(Section):
    """What the teacher is told: rules, a worked exchange or none, then the question about a seed.

    `system` and `user` are Jinja templates over input, target, student_text and earlier (the
    inputs of the examples that the seed already gave, oldest first). With `show_student_text` or
    `show_earlier` off the variable is null. `solve` is a template over input that has a candidate
    solved, for votes; null where a task has no votes.
    """

    system: str | None
    exchange: WorkedExchange | None
    user: str
    show_student_text: bool
    show_earlier: bool
    solve: str | None
    response: ResponseFormat


class Validity(Section):
    """What makes a candidate an example at all.

    `arithmetic` demands that every `<<a=b>>` annotation holds exactly and that the last one is
    the answer; `same_answer` that the target's answer equals the seed's.
    """

    max_input_chars: Annotated[int, Field(ge=1)]
    max_target_chars: Annotated[int, Field(ge=1)]
    arithmetic: bool
    same_answer: bool


class LeakagePolicy(Section):
    """How the leakage check applies: `masked` compares with numbers and names masked.

    `templated` declares that seeds and test come from the same templates: the masked gate is off,
    and the certificate says so.
    """

    masked: bool
    templated: bool


class Task(Section):
    """A whole task file."""

    name: str
    version: Annotated[int, Field(ge=1)]
    description: str
    citation: str
    fields: Fields
    student: StudentFormat
    answer: AnswerFormat
    teacher: TeacherPrompt
    validity: Validity
    leakage: LeakagePolicy


def _without(written: dict[str, Any], *names: str) -> dict[str, Any]:
    """Leave out the named keys where they are null."""
    return {key: value for key, value in written.items() if value is not None or key not in names}


def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern; ValueError says what is wrong with it."""
    try:
        return re.compile(pattern)
    except re.error as failure:
        raise ValueError(f"pattern: a regular expression ({failure})") from None
