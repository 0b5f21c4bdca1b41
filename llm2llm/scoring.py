"""Score answers by class, label or field, and count what is confused with what."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llm2llm.json_answers import Unreadable, read_fields
from llm2llm.labels import labels_in
from llm2llm.tasks.sections import AnswerFormat

_OF = {"label": "class", "choice": "class", "labels": "label", "json": "field"}


@dataclass(frozen=True, slots=True)
class Cell:
    """How many rows of one gold answer were answered so; null stands for unparsable."""

    gold: str
    answer: str | None
    n: int


@dataclass(frozen=True, slots=True)
class Score:
    """How often a class, label or field was there, was answered, and was right.

    Of a class, recall is its accuracy. What is undefined, as nothing was there, is null.
    """

    name: str
    n_gold: int
    n_answered: int
    n_right: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Breakdown:
    """Scores of each class, label or field, as `of` says, in the task's order.

    Micro F1 is over all of them together; macro F1 the mean of those that have one. `confusion` is
    null where answers are no single labels.
    """

    of: str
    n: int
    scores: list[Score]
    micro_f1: float | None
    macro_f1: float | None
    confusion: list[Cell] | None


class Scoring:
    """Count gold and answered as they come, in memory that does not grow with their number."""

    def __init__(self, answer_format: AnswerFormat) -> None:
        self._format = answer_format
        self._of = _OF.get(answer_format.kind)
        self._gold: Counter[str] = Counter()
        self._answered: Counter[str] = Counter()
        self._right: Counter[str] = Counter()
        self._cells: Counter[tuple[str, str | None]] = Counter()
        self._n = 0

    def add(self, gold: str, answer: str | None) -> None:
        """Take in one row's canonical answers; an unparsable one, null, answers nothing."""
        if self._of is None:
            return
        self._n += 1
        if self._of == "class":
            self._cells[gold, answer] += 1
        wanted, found = self._items(gold), self._items(answer)
        self._gold.update(list(wanted))
        self._answered.update(list(found))
        self._right.update(name for name, value in found.items() if wanted.get(name) == value)

    def _items(self, answer: str | None) -> dict[str, str]:
        """Give what is in an answer by name; of labels, name and value are the same."""
        if answer is None:
            return {}
        if self._format.fields is not None:
            read = read_fields(self._format.fields, answer)
            return {} if isinstance(read, Unreadable) else read
        if self._of == "label":
            return {label: label for label in labels_in(self._format, answer)}
        return {answer: answer}

    def breakdown(self) -> Breakdown | None:
        """Sum up; null of no rows, and of kinds of answers that have no parts."""
        if self._of is None or not self._n:
            return None
        fields = self._format.fields
        names = [each.name for each in fields] if fields else self._format.labels or []
        scores = [
            _score(name, self._gold[name], self._answered[name], self._right[name])
            for name in dict.fromkeys(names)
        ]
        f1s = [score.f1 for score in scores if score.f1 is not None]
        whole = _score("", self._gold.total(), self._answered.total(), self._right.total())
        return Breakdown(
            of=self._of,
            n=self._n,
            scores=scores,
            micro_f1=whole.f1,
            macro_f1=sum(f1s) / len(f1s) if f1s else None,
            confusion=_ordered(self._cells) if self._of == "class" else None,
        )


def score(answer_format: AnswerFormat, pairs: Iterable[tuple[str, str | None]]) -> Breakdown | None:
    """Score pairs of gold and answered."""
    scoring = Scoring(answer_format)
    for gold, answer in pairs:
        scoring.add(gold, answer)
    return scoring.breakdown()


def most_confused(cells: Sequence[Cell], n: int) -> list[Cell]:
    """Give the cells of wrong answers that count most."""
    wrong = [cell for cell in cells if cell.answer != cell.gold]
    return sorted(wrong, key=lambda cell: (-cell.n, cell.gold, cell.answer or ""))[:n]


def _score(name: str, n_gold: int, n_answered: int, n_right: int) -> Score:
    return Score(
        name=name,
        n_gold=n_gold,
        n_answered=n_answered,
        n_right=n_right,
        precision=n_right / n_answered if n_answered else None,
        recall=n_right / n_gold if n_gold else None,
        f1=2 * n_right / (n_gold + n_answered) if n_gold + n_answered else None,
    )


def _ordered(cells: Counter[tuple[str, str | None]]) -> list[Cell]:
    """Order cells by gold answer, then by answer, unparsable last."""
    ordered = sorted(
        cells.items(), key=lambda item: (item[0][0], item[0][1] is None, item[0][1] or "")
    )
    return [Cell(*key, n) for key, n in ordered]
