"""How the students did on the test set by class, label or field."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm2llm.ids import Json
from llm2llm.lineage.finished import Finished
from llm2llm.records.predictions import Prediction
from llm2llm.records.split import SplitRow
from llm2llm.scoring import Breakdown, Cell, Score, most_confused, score
from llm2llm.tasks.sections import AnswerFormat

# A matrix of more classes than these nobody can read.
MOST_CLASSES = 20
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Breakdowns:
    """Of the first and the last student, and of the control where one was trained."""

    first: Breakdown
    final: Breakdown
    control: Breakdown | None


@dataclass(frozen=True, slots=True)
class Matrix:
    """Gold down, answered across; `rows` has a line for each gold class with its counts."""

    answers: Sequence[str | None]
    rows: Sequence[tuple[str, Sequence[int]]]


def breakdowns(
    finished: Finished, tests: Mapping[str, SplitRow], answer_format: AnswerFormat
) -> Breakdowns | None:
    """Score the test answers; null for kinds of answers that have no parts."""

    def scored(predictions: Sequence[Prediction]) -> Breakdown | None:
        return score(
            answer_format,
            [
                (tests[each.example_id].answer, each.answer)
                for each in predictions
                if each.split == "test"
            ],
        )

    first, final = (scored(finished.predictions[place]) for place in (0, -1))
    if first is None or final is None:
        return None
    return Breakdowns(first, final, scored(finished.control) if finished.control else None)


def matrix(cells: Sequence[Cell]) -> Matrix | None:
    """Lay a confusion out as a table; null where it would have too many lines or columns."""
    names = sorted(
        {cell.gold for cell in cells} | {c.answer for c in cells if c.answer is not None}
    )
    if len(names) > MOST_CLASSES:
        return None
    answers = [*names, *([None] if any(cell.answer is None for cell in cells) else [])]
    counts = {(cell.gold, cell.answer): cell.n for cell in cells}
    golds = sorted({cell.gold for cell in cells})
    return Matrix(
        answers, [(gold, [counts.get((gold, each), 0) for each in answers]) for gold in golds]
    )


def pairs(cells: Sequence[Cell]) -> list[Cell]:
    """Give the most confused pairs, in place of a matrix."""
    return most_confused(cells, MOST_CLASSES)


def f1s(found: Breakdown) -> dict[str, Json]:
    """Name the F1 measures as metrics.json does."""
    named = {"test_micro_f1": found.micro_f1, "test_macro_f1": found.macro_f1}
    if found.of == "class":
        del named["test_micro_f1"]  # of single labels it says what accuracy says
    return {name: _short(value) for name, value in named.items() if value is not None}


def told(parts: Breakdowns) -> str:
    """Say in one line what the first and the last student reached."""
    found = []
    for name in ("micro", "macro"):
        one, other = (getattr(each, f"{name}_f1") for each in (parts.first, parts.final))
        if f"test_{name}_f1" in f1s(parts.first) and f"test_{name}_f1" in f1s(parts.final):
            found.append(f"{name} F1 {100 * one:.1f} % at first, {100 * other:.1f} % at the end")
    return f"test, by {parts.final.of}: {'; '.join(found) or 'no F1 is defined'}"


def as_json(found: Breakdown) -> dict[str, Json]:
    """Write scores and confusion of the last student for metrics.json.

    Fields are keys, which DVC shows and compares; classes and labels, of which there can be
    hundreds, are a list, which it passes over.
    """
    if found.of == "field":
        return {"fields": {each.name: _numbers(each) for each in found.scores}}
    listed: list[Json] = [{found.of: each.name, **_numbers(each)} for each in found.scores]
    written: dict[str, Json] = {"classes" if found.of == "class" else "labels": listed}
    if found.confusion is not None:
        written["confusion"] = [
            {"gold": cell.gold, "answer": cell.answer, "n": cell.n} for cell in found.confusion
        ]
    return written


def _numbers(found: Score) -> dict[str, Json]:
    return {
        "n": found.n_gold,
        "precision": _short(found.precision),
        "recall": _short(found.recall),
        "f1": _short(found.f1),
    }


def _short(share: float | None) -> float | None:
    return None if share is None else round(share, _DIGITS)
