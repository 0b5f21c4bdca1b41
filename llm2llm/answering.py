"""Ask a student the rows of a table, a few at a time, and count where labels are there."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from llm2llm.answers import extract
from llm2llm.exceptions import DataError
from llm2llm.grading import Accuracy, accuracy, grade
from llm2llm.student.engine import Engine, Question
from llm2llm.student.generating import Generation
from llm2llm.student.prediction import within_context
from llm2llm.tasks.sections import AnswerFormat, Fields

# A group of vLLM's; of transformers' a few batches, whose rows are of similar length.
_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class AnsweredRow:
    """One row's answer; `gold` and `verdict` are null where the row has no label to be read."""

    row: int
    text: str
    answer: str | None
    gold: str | None
    verdict: str | None
    truncated: bool
    n_tokens: int


@dataclass(frozen=True, slots=True)
class Cell:
    """How many rows of one gold answer were answered so; null stands for unparsable."""

    gold: str
    answer: str | None
    n: int


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts over all rows; `accuracy` and `confusion` are null where no row has a label.

    `confusion` is null, too, where answers are free: it is for labels and choices.
    """

    n: int
    n_truncated: int
    n_without_label: int
    accuracy: Accuracy | None
    confusion: list[Cell] | None


class Tally:
    """Count answers as they come, in memory that does not grow with their number."""

    def __init__(self, answer_format: AnswerFormat) -> None:
        self._closed = answer_format.labels is not None
        self._verdicts: Counter[str] = Counter()
        self._cells: Counter[tuple[str, str | None]] = Counter()
        self._n = self._n_truncated = 0

    def add(self, row: AnsweredRow) -> None:
        """Take in one answer."""
        self._n += 1
        self._n_truncated += row.truncated
        if row.gold is not None and row.verdict is not None:
            self._verdicts[row.verdict] += 1
            if self._closed:
                self._cells[row.gold, row.answer] += 1

    def summary(self) -> Summary:
        """Sum up; cells stand by gold answer, then by answer, unparsable last."""
        ordered = sorted(
            self._cells.items(), key=lambda item: (item[0][0], item[0][1] is None, item[0][1] or "")
        )
        n_labelled = self._verdicts.total()
        return Summary(
            n=self._n,
            n_truncated=self._n_truncated,
            n_without_label=self._n - n_labelled,
            accuracy=accuracy(list(self._verdicts.elements())) if n_labelled else None,
            confusion=[Cell(*key, n) for key, n in ordered] if ordered else None,
        )


def answer_rows(
    engine: Engine,
    rows: Iterable[tuple[int, dict[str, Any]]],
    *,
    fields: Fields,
    answer_format: AnswerFormat,
    max_new_tokens: int,
) -> Iterator[AnsweredRow]:
    """Yield an answer for each row, in their order; few rows are in memory at a time.

    Raises DataError where a row lacks the input.
    """
    source = iter(rows)
    while chunk := list(itertools.islice(source, _CHUNK)):
        inputs = [_input(number, values, fields) for number, values in chunk]
        prompts = engine.encode(inputs)
        limit = within_context(engine, prompts, max_new_tokens)
        texts: dict[int, Generation] = {}
        for group in engine.groups([len(prompt) for prompt in prompts]):
            questions = [Question(prompts[index], None) for index in group]
            texts.update(zip(group, engine.answer(questions, limit), strict=True))
        for index, (number, values) in enumerate(chunk):
            generation = texts[index]
            gold = _gold(values.get(fields.target), answer_format)
            result = grade(answer_format, gold or "", generation.text)
            yield AnsweredRow(
                row=number,
                text=generation.text,
                answer=result.answer,
                gold=gold,
                verdict=None if gold is None else result.verdict,
                truncated=generation.truncated,
                n_tokens=generation.n_tokens,
            )


def _input(number: int, values: dict[str, Any], fields: Fields) -> str:
    text = values.get(fields.input)
    if not isinstance(text, str) or not text.strip():
        found = ", ".join(values) if fields.input not in values else repr(text)
        raise DataError(
            f"row {number}: field `{fields.input}`: found {found or 'no fields'}, expected text"
            f" there, as the task's `fields` section names it"
        )
    return text


def _gold(target: object, answer_format: AnswerFormat) -> str | None:
    return extract(answer_format, target) if isinstance(target, str) else None
