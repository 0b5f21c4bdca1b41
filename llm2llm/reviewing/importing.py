"""Take the decisions out of a sheet that came back: all of them, or none."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from llm2llm.exceptions import DataError
from llm2llm.exporting.contained import ContainedTexts
from llm2llm.files import read_records
from llm2llm.lineage.finding import newest_set
from llm2llm.lineage.run import Run
from llm2llm.records.decisions import DECISIONS, EDIT, Decision
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.reviewing.decisions import KINDS, edited_id, parents
from llm2llm.reviewing.edits import check_edits
from llm2llm.reviewing.sheet import FILLED_IN, OWN_TEXTS, Sheet
from llm2llm.streaming import RecordFile

_N_SHOWN = 20
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Imported:
    """All decisions of the project from now on, and how many of the sheet's are what.

    `n_added`, `n_changed` and `n_same` compare with those of before. `written_over` names rows and
    columns where the sheet's own text is another, which changes nothing.
    """

    decisions: Mapping[str, Decision]
    n_accept: int
    n_edit: int
    n_reject: int
    n_undecided: int
    n_added: int
    n_changed: int
    n_same: int
    written_over: list[tuple[int, str]]


@dataclass(frozen=True, slots=True)
class _Found:
    """A decision and where it stands."""

    row: int
    decision: Decision


class _Problems:
    """What does not hold, by row and column."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._lines: list[str] = []

    def add(self, row: int, column: str, problem: str) -> None:
        """Note one."""
        self._lines.append(f"{self._sheet.path}: row {row}, column {column}: {problem}")

    def note(self, line: str) -> None:
        """Note one that is of no row."""
        self._lines.append(line)

    def raise_if_any(self) -> None:
        """Raise DataError with all of them, or the first ones."""
        if self._lines:
            more = len(self._lines) - _N_SHOWN
            shown = [*self._lines[:_N_SHOWN], *([f"and {more} more"] if more > 0 else [])]
            raise DataError("\n".join([*shown, "nothing was imported; mend the sheet, and again"]))


def import_sheet(
    run: Run, sheet: Sheet, before: Mapping[str, Decision], reviewer: str | None
) -> Imported:
    """Read decisions about the newest set and put them in the place of those of before.

    Raises DataError that names row and column of all that does not hold.
    """
    number = newest_set(run)
    problems = _Problems(sheet)
    rows = _rows(sheet, problems)
    examples = _examples(run, number, rows)
    found = {
        name: _Found(row, decision)
        for name, (row, cells) in rows.items()
        if (decision := _decision(name, row, cells, examples, before, reviewer, problems))
    }
    problems.raise_if_any()
    _refuse_test_items(run, found, problems)
    old = {name: before.get(name) for name in found}
    taken = {name: _with_reviewer_kept(each.decision, old[name]) for name, each in found.items()}
    decisions = {**before, **taken}
    for name, fault in check_edits(run, number, decisions)[0].items():
        if name in found:
            problems.add(found[name].row, f"edited_{fault.text}", fault.reason)
        else:
            problems.note(f"{DECISIONS}: {name}, edited earlier: {fault.reason}")
    problems.raise_if_any()
    kinds = Counter(decision.decision for decision in taken.values())
    same = sum(old[name] == decision for name, decision in taken.items())
    added = sum(each is None for each in old.values())
    return Imported(
        decisions=decisions,
        n_accept=kinds["accept"],
        n_edit=kinds["edit"],
        n_reject=kinds["reject"],
        n_undecided=len(sheet.rows) - len(taken),
        n_added=added,
        n_changed=len(taken) - same - added,
        n_same=same,
        written_over=list(_written_over(rows, examples)),
    )


def _written_over(
    rows: Mapping[str, tuple[int, Mapping[str, str]]], examples: Mapping[str, Example]
) -> Iterator[tuple[int, str]]:
    """Yield where a text of the sheet's own was changed, but for white space."""
    for name, (row, cells) in rows.items():
        for column in OWN_TEXTS:
            if name in examples and column in cells:
                own: str = getattr(examples[name], column)
                if cells[column].split() != own.split():
                    yield row, column


def _rows(sheet: Sheet, problems: _Problems) -> dict[str, tuple[int, Mapping[str, str]]]:
    """Key the rows by example; a second one about the same is a problem."""
    rows: dict[str, tuple[int, Mapping[str, str]]] = {}
    for row, cells in sheet.rows:
        name = cells["example_id"].strip()
        if name in rows and name:
            problem = f"found {name} again, as in row {rows[name][0]}; keep one of the two rows"
            problems.add(row, "example_id", problem)
        elif name:
            rows[name] = (row, cells)
        elif any(cells.get(column, "").strip() for column in FILLED_IN):
            problems.add(row, "example_id", "empty, expected the id that the sheet came with")
    return rows


def _examples(run: Run, number: int, names: Iterable[str]) -> dict[str, Example]:
    wanted = set(names)
    return {
        example.example_id: example
        for example in RecordFile(run.examples(number), Example)
        if example.example_id in wanted
    }


def _decision(
    name: str,
    row: int,
    cells: Mapping[str, str],
    examples: Mapping[str, Example],
    before: Mapping[str, Decision],
    reviewer: str | None,
    problems: _Problems,
) -> Decision | None:
    """Read one row; null where nothing is decided, or it does not hold."""
    kind = cells["decision"].strip().lower()
    note, *edited = (_filled(cells.get(column, "")) for column in FILLED_IN[1:])
    if not kind:
        for column, text in zip(FILLED_IN[1:], (note, *edited), strict=True):
            if text is not None:
                problem = f"filled in, and column decision is empty; expected {' or '.join(KINDS)}"
                problems.add(row, column, problem)
        return None
    if kind not in KINDS:
        told = f"found {_short(cells['decision'])}, expected one of {', '.join(KINDS)}, or nothing"
        problems.add(row, "decision", told)
        return None
    example = examples.get(name)
    if example is None or example.origin == "seed":
        problems.add(row, "example_id", _unknown(name, example, before))
        return None
    if kind != EDIT:
        for column, text in zip(FILLED_IN[2:], edited, strict=True):
            if text is not None:
                told = f"filled in, and the decision is {kind}; write edit, or empty the cell"
                problems.add(row, column, told)
        return Decision(name, kind, None, None, reviewer, note)
    texts = [text or own for text, own in zip(edited, (example.input, example.target), strict=True)]
    decision = Decision(name, kind, texts[0], texts[1], reviewer, note)
    if edited == [None, None]:
        told = "the decision is edit, and both edited columns are empty; write the new text"
        problems.add(row, "edited_input", f"{told} there, not into input or target")
    elif edited_id(decision) == name:
        told = "the decision is edit, and the texts are those of the example; write accept"
        problems.add(row, "decision", told)
    return decision


def _unknown(name: str, example: Example | None, before: Mapping[str, Decision]) -> str:
    if example is not None:
        return f"{name} is a seed, expected an example that a teacher wrote; mend the seed's file"
    parent = parents(before).get(name)
    if parent is not None:
        return f"{name} is an edit of {parent}; decide about {parent} again"
    return (
        f"found {_short(name)}, no example of the newest set; was the run another one?"
        " `llm2llm review export` writes its sheet"
    )


def _refuse_test_items(run: Run, found: Mapping[str, _Found], problems: _Problems) -> None:
    """Refuse notes that quote a test item, since they go out with the bundle."""
    test = read_records(run.split("test"), SplitRow)
    contained = ContainedTexts([row.input for row in test])
    for each in found.values():
        place = contained.find(each.decision.note) if each.decision.note else None
        if place is not None:
            told = f"quotes test item {test[place].example_id}, and notes go out with the bundle"
            problems.add(each.row, "note", f"{told}; name it by its id")


def _with_reviewer_kept(decision: Decision, before: Decision | None) -> Decision:
    """Leave a decision that says what it said before to whoever said it first."""
    if before is not None and replace(decision, reviewer=before.reviewer) == before:
        return decision if before.reviewer is None else before
    return decision


def _filled(cell: str) -> str | None:
    return cell if cell.strip() else None


def _short(text: str) -> str:
    shown = repr(text)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."
