"""From a table to rows that can be learned from: what is left out, and why, is kept."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from llm2llm.exceptions import DataError
from llm2llm.leakage.normalize import exact_keys, fold
from llm2llm.seeding import stream
from llm2llm.starting.table import Table

_SHOWN = 5
# Not inside a word or number, where it tells texts apart.
_ENDING = re.compile(r"[.,;:!?'\"…。]+(?=\s|$)")


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it will stand in a raw file; `group` keeps rows in one split."""

    line: int
    input: str
    target: str
    group: str

    @property
    def same_text(self) -> str:
        """What two rows share whose inputs have the same letters and digits."""
        return exact_keys(self.input)[0]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that goes into no split, the reason, and the line of the row that it is because of.

    `file` is the source that it stands in: data, or test.
    """

    line: int
    input: str | None
    target: str | None
    reason: str
    because_of: int | None
    file: str = "data"


def same_question(text: str) -> str:
    """Reduce a text to what stays where case, spaces and the ends of sentences change.

    Texts of which it is equal have one right target; `3 + 4` and `3 - 4` may have two.
    """
    return "".join(_ENDING.sub("", fold(text).casefold()).split())


def counted(rows: Iterable[LeftOut]) -> str:
    """Count rows by reason, in words."""
    counts = Counter(row.reason for row in rows)
    return ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items()))


@dataclass(frozen=True)
class Gathered:
    """Rows in file order, those left out, and how many the file has."""

    rows: list[RawRow]
    left_out: list[LeftOut]
    n_rows: int


def gather(
    table: Table,
    input_: str,
    target: str,
    group: str | None,
    *,
    max_rows: int,
    drop_bad_rows: bool,
    random_seed: int,
) -> Gathered:
    """Take at most `max_rows` rows, drawn at random from more; leave out equal ones.

    Rows with an empty cell, or whose text has two targets, raise DataError unless `drop_bad_rows`
    leaves them out too.
    """
    n_rows = table.frame.height
    frame, lines = table.frame, table.lines
    if n_rows > max_rows:
        places = sorted(stream(random_seed, "init", "rows").sample(range(n_rows), max_rows))
        frame, lines = frame[places], lines[places]
    columns = [frame[name].to_list() for name in (input_, target)]
    groups = frame[group].to_list() if group is not None else [None] * frame.height
    empty: list[LeftOut] = []
    full: list[RawRow] = []
    for line, text, answer, of in zip(lines.to_list(), *columns, groups, strict=True):
        if text is None or answer is None:
            reason = "empty input" if text is None else "empty target"
            empty.append(LeftOut(line, text, answer, reason, None))
        else:
            full.append(RawRow(line, text, answer, str(of or "")))
    kept, equal, contradicting = _compared(full)
    if not drop_bad_rows:
        _refuse_empty(table, empty, input_, target)
        _refuse_contradicting(table, contradicting)
    left_out = [*empty, *equal, *contradicting]
    if not kept:
        raise DataError(f"{table.path}: no row is left of {n_rows}; check its columns")
    return Gathered(kept, sorted(left_out, key=lambda row: row.line), n_rows)


def _compared(rows: Sequence[RawRow]) -> tuple[list[RawRow], list[LeftOut], list[LeftOut]]:
    """Split rows into kept ones, repetitions, and those whose text has several targets."""
    questions = [same_question(row.input) for row in rows]
    first: dict[str, RawRow] = {}
    other: dict[str, RawRow] = {}  # the first whose target is not that of the first
    for question, row in zip(questions, rows, strict=True):
        if row.target != first.setdefault(question, row).target:
            other.setdefault(question, row)
    kept, equal, contradicting = [], [], []
    same: dict[tuple[str, str], RawRow] = {}
    for question, row in zip(questions, rows, strict=True):
        if question in other:
            against = other[question] if row.target == first[question].target else first[question]
            contradicting.append(_out(row, "contradicting", against.line))
        elif (before := same.setdefault((row.same_text, row.target), row)) is not row:
            equal.append(_out(row, "repeated", before.line))
        else:
            kept.append(row)
    return kept, equal, contradicting


def _out(row: RawRow, reason: str, because_of: int) -> LeftOut:
    return LeftOut(row.line, row.input, row.target, reason, because_of)


def _refuse_empty(table: Table, empty: Sequence[LeftOut], input_: str, target: str) -> None:
    if empty:
        column = input_ if empty[0].input is None else target
        raise DataError(
            f"{table.path}:{empty[0].line}: the column `{column}` is empty ({len(empty)} rows have"
            f" an empty input or target: lines {_lines(empty)}); fill them in, or leave them out"
            " with --drop-bad-rows"
        )


def _refuse_contradicting(table: Table, found: Sequence[LeftOut]) -> None:
    if found:
        first = found[0]
        raise DataError(
            f"{table.path}:{first.line}: the same text stands with different targets"
            f" ({len(found)} such rows: lines {_lines(found)}); decide on one, or leave them all"
            " out with --drop-bad-rows"
        )


def _lines(rows: Sequence[LeftOut]) -> str:
    more = ", ..." if len(rows) > _SHOWN else ""
    return ", ".join(str(row.line) for row in rows[:_SHOWN]) + more


def without_test_items(
    train: Sequence[RawRow], test: Sequence[RawRow]
) -> tuple[list[RawRow], list[LeftOut]]:
    """Leave train rows out that are test items, or in the group of one."""
    items = {row.same_text: row.line for row in test}
    groups = {row.group: row.line for row in test if row.group}
    kept, out = [], []
    for row in train:
        if row.same_text in items:
            out.append(_out(row, "test item", items[row.same_text]))
        elif row.group in groups:
            out.append(_out(row, "in the group of a test item", groups[row.group]))
        else:
            kept.append(row)
    return kept, out
