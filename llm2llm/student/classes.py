"""What a classifier is trained on: texts in tokens, each with its class."""

from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.answers import extract
from llm2llm.exceptions import StudentError
from llm2llm.student.formatting import Template
from llm2llm.tasks.sections import AnswerFormat


@dataclass(frozen=True, slots=True)
class Labeled:
    """One example in tokens; `label` is the index of its class among the task's labels."""

    input_ids: list[int]
    label: int


def labels_of(answer_format: AnswerFormat | None) -> list[str]:
    """Give the classes in the task's order; raises StudentError where the task has none."""
    if answer_format is None:
        raise StudentError("training: no labels were given for the classifier to tell apart")
    if why := answer_format.why_no_classes():
        raise StudentError(why)
    return list(answer_format.labels or [])


def labeled(
    template: Template, examples: Sequence[tuple[str, str]], answer_format: AnswerFormat
) -> list[Labeled]:
    """Encode examples, whose targets are read as the task reads answers."""
    labels = labels_of(answer_format)
    texts = template.encode_texts([text for text, _ in examples])
    return [
        Labeled(ids, labels.index(_class(answer_format, target, number)))
        for number, (ids, (_, target)) in enumerate(zip(texts, examples, strict=True), start=1)
    ]


def _class(answer_format: AnswerFormat, target: str, number: int) -> str:
    label = extract(answer_format, target)
    if label is None or label not in (answer_format.labels or []):
        raise StudentError(
            f"training: example {number} has the target {target[:60]!r}, expected one of"
            f" {', '.join(answer_format.labels or [])}; mend the row or the task's labels"
        )
    return label
