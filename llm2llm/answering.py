"""Ask a student the rows of a table, a few at a time, and count where labels are there."""

import dataclasses
import difflib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.answers import extract, why_unreadable
from llm2llm.exceptions import DataError
from llm2llm.grading import Accuracy, accuracy, grade
from llm2llm.json_cells import cell_text, object_of_cells
from llm2llm.labels import one_label
from llm2llm.scoring import Breakdown, Cell, Scoring
from llm2llm.student.engine import Engine, Question
from llm2llm.student.generating import Generation
from llm2llm.student.prediction import within_context
from llm2llm.tasks.sections import AnswerFormat, Fields

# A group of vLLM's; of transformers' a few batches, whose rows are of similar length.
_CHUNK = 1024
# Characters of a label that is told, and labels that are listed.
_SHOWN, _NAMED = 60, 8


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """One row's answer; `gold` and `verdict` are null where the row has no label to be read.

    `unreadable_label` says what is wrong with a label that is there, and was not read.
    """

    row: int
    text: str
    answer: str | None
    gold: str | None
    verdict: str | None
    truncated: bool
    n_tokens: int
    unreadable_label: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over all rows; `accuracy` and `confusion` are null where no row has a label.

    Rows without a label and with one that the task cannot read are both left out of `accuracy`.
    `confusion` is null, too, where answers are no single labels, and `scores` where they have no
    parts: they are of each class, label or field.
    """

    n: int
    n_truncated: int
    n_without_label: int
    n_unreadable_label: int
    accuracy: Accuracy | None
    confusion: list[Cell] | None
    scores: Breakdown | None


class Tally:
    """Count answers as they come, in memory that does not grow with their number."""

    def __init__(self, answer_format: AnswerFormat) -> None:
        self._verdicts: Counter[str] = Counter()
        self._scoring = Scoring(answer_format)
        self._n = self._n_truncated = 0
        self.n_unreadable = 0

    def add(self, row: AnsweredRow) -> None:
        """Take in one answer."""
        self._n += 1
        self._n_truncated += row.truncated
        self.n_unreadable += row.unreadable_label is not None
        if row.gold is not None and row.verdict is not None:
            self._verdicts[row.verdict] += 1
            self._scoring.add(row.gold, row.answer)

    def summary(self) -> Summary:
        """Sum up."""
        n_labelled = self._verdicts.total()
        scores = self._scoring.breakdown()
        return Summary(
            n=self._n,
            n_truncated=self._n_truncated,
            n_without_label=self._n - n_labelled - self.n_unreadable,
            n_unreadable_label=self.n_unreadable,
            accuracy=accuracy(list(self._verdicts.elements())) if n_labelled else None,
            confusion=None if scores is None else scores.confusion,
            scores=None if scores is None else dataclasses.replace(scores, confusion=None),
        )


def answer_rows(
    engine: Engine,
    rows: Iterable[tuple[int, dict[str, Any]]],
    *,
    fields: Fields,
    answer_format: AnswerFormat,
    max_new_tokens: int,
) -> Iterator[AnsweredRow]:
    """Yield an answer for each row, which has an input, in their order.

    Few rows are in memory at a time.
    """
    source = iter(rows)
    while chunk := list(itertools.islice(source, _CHUNK)):
        inputs = [values[fields.input] for _, values in chunk]
        prompts = engine.encode(inputs)
        limit = within_context(engine, prompts, max_new_tokens)
        texts: dict[int, Generation] = {}
        for group in engine.groups([len(prompt) for prompt in prompts]):
            questions = [Question(prompts[index], None) for index in group]
            texts.update(zip(group, engine.answer(questions, limit), strict=True))
        for index, (number, values) in enumerate(chunk):
            generation = texts[index]
            label = _label(values, fields, answer_format)
            gold = None if label is None else extract(answer_format, label)
            unreadable = label is not None and gold is None
            result = grade(answer_format, gold or "", generation.text)
            yield AnsweredRow(
                row=number,
                text=generation.text,
                answer=result.answer,
                gold=gold,
                verdict=None if gold is None else result.verdict,
                truncated=generation.truncated,
                n_tokens=generation.n_tokens,
                unreadable_label=_why(answer_format, label or "") if unreadable else None,
            )


def rows_with_input(
    rows: Iterable[tuple[int, dict[str, Any]]],
    *,
    file: Path,
    fields: Fields,
    on_bad: Callable[[DataError], None],
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows that hold something to ask, as they are taken.

    `on_bad` gets what is wrong with each other one, and raises it, or the row is left out.
    """
    for number, values in rows:
        wrong = _without_input(values, fields.input)
        if wrong is None:
            yield number, values
        else:
            on_bad(DataError(f"{file}:{number}: {wrong}"))


def _without_input(values: dict[str, Any], name: str) -> str | None:
    """Say why a row holds nothing to ask; null where it does."""
    if name not in values:
        return (
            f"no column `{name}`, which the student takes as its input; its columns:"
            f" {', '.join(values) or 'none'}; rename one, or name yours with --input"
        )
    text = values[name]
    if isinstance(text, str) and text.strip():
        return None
    return (
        f"column `{name}`: found {_short(text)}, expected a text, the student's input; mend the row"
    )


def _label(values: dict[str, Any], fields: Fields, answer_format: AnswerFormat) -> str | None:
    """Write a row's label as text, null where it has none or an empty one.

    That of a JSON task may be an object, or stand in columns of its own. What is no text is written
    as `llm2llm init` does.
    """
    target = values.get(fields.target)
    if answer_format.fields is not None:
        if fields.target not in values:
            target = object_of_cells(answer_format.fields, values)
        elif isinstance(target, dict):
            target = json.dumps(target, ensure_ascii=False)
    elif isinstance(target, list) and answer_format.kind == "labels":
        target = (answer_format.separator or ", ").join(map(str, target))
    written = cell_text(target)
    return written if written and written.strip() else None


def _why(answer_format: AnswerFormat, label: str) -> str:
    """Say what was found as a label that cannot be read, and what was expected."""
    known = answer_format.labels
    if known is None or answer_format.pattern is not None:
        pattern = answer_format.pattern
        expected = "" if pattern is None else f", expected a match of `{pattern}`"
        return f"found {_short(label)}{expected}; {why_unreadable(answer_format, label)}"
    parts = answer_format.parts(label) if answer_format.kind == "labels" else [label]
    given = [part.strip() for part in parts if part.strip()]
    wrong = next((part for part in given if one_label(known, part) is None), label.strip())
    near = difflib.get_close_matches(wrong, known, n=1)
    meant = f"; did you mean `{near[0]}`?" if near else ""
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return f"found {_short(wrong)}, expected one of {', '.join(known[:_NAMED])}{more}{meant}"


def _short(text: object) -> str:
    told = repr(text)
    return told if len(told) <= _SHOWN else f"{told[:_SHOWN]}..."
