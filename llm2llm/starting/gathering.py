"""From a table to rows that can be learned from: what is left out, and why, is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.exceptions import DataError
from llm2llm.leakage.normalize import exact_keys
from llm2llm.seeding import stream
from llm2llm.starting.table import Table

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row as it will stand in a raw file; `group` keeps rows in one split."""

    line: int
    input: str
    target: str
    group: str

    @property
    def same_text(self) -> str:
        """What two rows share whose inputs differ in case, spaces or punctuation at most."""
        return exact_keys(self.input)[0]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that goes into no split, the reason, and the line of the row that it is because of."""

    line: int
    input: str | None
    target: str | None
    reason: str
    because_of: int | None


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
    by_text: dict[str, list[RawRow]] = {}
    for row in rows:
        by_text.setdefault(row.same_text, []).append(row)
    kept, equal, contradicting = [], [], []
    for row in rows:
        same = by_text[row.same_text]
        other = next((each for each in same if each.target != row.target), None)
        if other is not None:
            contradicting.append(_out(row, "contradicting", other.line))
        elif row is not same[0]:
            equal.append(_out(row, "repeated", same[0].line))
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
