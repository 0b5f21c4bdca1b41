"""Options of multiple-choice questions that stand in columns, put into the text of the question."""

import ast
import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from llm2llm.exceptions import DataError, ParamsError
from llm2llm.json_cells import NUMBER, cell_text
from llm2llm.starting.gathering import LeftOut
from llm2llm.starting.kinds import n_listing
from llm2llm.starting.table import OPTION_LISTS, Table

_MARKED = re.compile(r"(?:(?P<stem>option|choice|opt|op|answer|ending)[ _-]?)?(?P<mark>[a-j]|\d)")
_ORDERS = ("abcdefghij", "123456789", "0123456789")
_LETTERS = "ABCDEFGHIJ"
# Of answers that name options at least so many do; the others are faults of single rows.
_MOST = 0.9
_SHOWN = 60

# What a row itself calls each option, and the option's text, in the order of their letters.
Options = list[tuple[str, str]]
# Gives the letter of the option that an answer names; null where it names none, or two.
_Way = Callable[[Options, str], str | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Joined:
    """Tables whose inputs list the options and whose targets are letters, and rows left out.

    `answers` says how the answers named options: by mark, letter, text, from_0 or from_1.
    """

    tables: list[Table]
    left_out: list[list[LeftOut]]
    answers: str


def option_columns(table: Table) -> tuple[str, ...]:
    """Name the columns that look like options, in their order; empty where there are none.

    Input and target are two columns more.
    """
    by_stem: dict[str, dict[str, str]] = {}
    for name in table.frame.columns:
        plain = name.strip().casefold()
        if plain in OPTION_LISTS and (name in table.lists or _are_options(table.frame[name])):
            return (name,)
        found = _MARKED.fullmatch(plain)
        if found and (found["stem"] or found["mark"].isalpha()):
            by_stem.setdefault(found["stem"] or "", {})[found["mark"]] = name
    for by_mark in by_stem.values():
        marks = "".join(sorted(by_mark))
        in_order = any(order.startswith(marks) for order in _ORDERS)
        if len(marks) > 1 and in_order and table.frame.width - len(marks) > 1:
            return tuple(by_mark[mark] for mark in marks)
    return ()


def join_options(
    tables: Sequence[Table],
    names: Sequence[str],
    columns: tuple[str, str],
    *,
    told: bool,
    drop_bad_rows: bool,
) -> Joined | None:
    """Put the options under each question as lines `A. ...`, and its letter in place of the answer.

    An answer is a letter, the option's text or its number. `told` says that the rows are known to
    be choices; else it is null where the answers do not name options. A row whose answer names
    none, or that has less than two options, raises DataError unless `drop_bad_rows` leaves it out.
    """
    having = [table for table in tables if set(names) <= set(table.frame.columns)]
    options = [_options(table, names) for table in having]
    answers = [table.frame[columns[1]].to_list() for table in having]
    pairs = [
        (row, answer)
        for rows, cells in zip(options, answers, strict=True)
        for row, answer in zip(rows, cells, strict=True)
        if len(row) > 1 and answer is not None
    ]
    numbers = all(NUMBER.fullmatch(text) for row, _ in pairs for _, text in row)
    features = numbers and not told and all(len(name.strip()) == 1 for name in names)
    try:
        way = _way(pairs, f"{tables[0].path}: the column `{columns[1]}`", told=told)
    except ParamsError:
        if features:
            return None
        raise
    if way is None or (features and way in ("from_0", "from_1")):
        return None
    found = iter(options)
    every: list[tuple[Table, list[LeftOut]]] = []
    for table in tables:
        if set(names) <= set(table.frame.columns):
            rows, by = next(found), _WAYS[way]
            every.append(_joined(table, names, columns, rows, by, drop_bad_rows=drop_bad_rows))
        else:
            _require_listed(table, names, columns[0], tables[0].path)
            every.append((table, []))
    return Joined([table for table, _ in every], [out for _, out in every], way)


def letter_of(answers: str, row: Options, answer: str) -> str | None:
    """Give the letter of the option that an answer names in a way; null where it names none."""
    return _WAYS[answers](row, answer)


def _require_listed(table: Table, names: Sequence[str], column: str, data: Path) -> None:
    """Raise ParamsError for a table that has its options neither in these columns nor in inputs."""
    inputs = table.frame[column].drop_nulls().to_list()
    if 2 * n_listing(inputs) <= len(inputs):
        missing = next(name for name in names if name not in table.frame.columns)
        raise ParamsError(
            f"{table.path}: has no column {missing!r}, which holds options in {data}; add it"
        )


def listed(text: str, row: Options) -> str:
    """Put options under a question."""
    lines = [f"{letter}. {option}" for letter, (_, option) in zip(_LETTERS, row, strict=False)]
    return "\n".join([text, *lines])


def options_of(values: Mapping[str, Any], names: Sequence[str]) -> Options:
    """Read the options of one row, whose cells are of any type; empty where it has none."""
    if len(names) > 1:
        return _tidy((name.strip()[-1].upper(), cell_text(values.get(name))) for name in names)
    cell = values.get(names[0])
    return _of_cell(json.dumps(cell) if isinstance(cell, list | dict) else cell_text(cell))


def _joined(
    table: Table,
    names: Sequence[str],
    columns: tuple[str, str],
    options: Sequence[Options],
    way: _Way,
    *,
    drop_bad_rows: bool,
) -> tuple[Table, list[LeftOut]]:
    out: list[LeftOut] = []
    texts: list[str | None] = []
    letters: list[str | None] = []
    keep: list[bool] = []
    cells = zip(*(table.frame[name].to_list() for name in columns), strict=True)
    for line, row, (text, answer) in zip(table.lines.to_list(), options, cells, strict=True):
        letter = None if answer is None else way(row, answer)
        reason = None
        if len(row) < 2:
            reason = "without options"
        elif len(row) > len(_LETTERS):
            reason = "too many options"
        elif letter is None and answer is not None:
            reason = "answer is no option"
        if reason and not drop_bad_rows:
            raise _odd(table.path, line, names, columns[1], row, answer)
        if reason:
            out.append(LeftOut(line, text, answer, reason, None))
        keep.append(reason is None)
        texts.append(None if text is None else listed(text, row))
        letters.append(letter)
    frame = table.frame.with_columns(
        pl.Series(columns[0], texts, dtype=pl.String),
        pl.Series(columns[1], letters, dtype=pl.String),
    )
    frame = frame.drop(names).filter(pl.Series(keep, dtype=pl.Boolean))
    lines_kept = table.lines.filter(pl.Series(keep, dtype=pl.Boolean))
    return dataclasses.replace(table, frame=frame, lines=lines_kept), out


def _odd(
    path: Path, line: int, names: Sequence[str], target: str, row: Options, answer: str | None
) -> DataError:
    if len(row) < 2:
        return DataError(
            f"{path}:{line}: found {len(row)} options in {', '.join(names)}, expected at least two;"
            " fill them in, or leave such rows out with --drop-bad-rows"
        )
    if len(row) > len(_LETTERS):
        return DataError(
            f"{path}:{line}: found {len(row)} options in {', '.join(names)}, expected at most"
            f" {len(_LETTERS)}, as answers are letters; take some out, or leave such rows out with"
            " --drop-bad-rows"
        )
    last = _LETTERS[len(row) - 1]
    return DataError(
        f"{path}:{line}: the column `{target}` is {(answer or '')[:_SHOWN]!r}, expected one of the"
        f" options in {', '.join(names)}, by its letter (A to {last}) or written as in the other"
        " rows; mend it, or leave such rows out with --drop-bad-rows"
    )


def _options(table: Table, names: Sequence[str]) -> list[Options]:
    if len(names) > 1:
        marks = [name.strip()[-1].upper() for name in names]
        rows = table.frame.select(names).iter_rows()
        return [_tidy(zip(marks, cells, strict=True)) for cells in rows]
    cells = table.frame[names[0]].to_list()
    between = table.lists.get(names[0])
    if between is not None:
        return [_named_by_letters(_parts(cell, between) if cell else []) for cell in cells]
    return [_of_cell(cell) for cell in cells]


def _tidy(cells: Iterable[tuple[str, str | None]]) -> Options:
    """Leave out empty options at the end; one in between would shift the letters, and stays."""
    row = [(mark, (text or "").strip()) for mark, text in cells]
    while row and not row[-1][1]:
        row.pop()
    return row


def _parts(cell: str, between: str) -> list[str]:
    """Part a list that was written into a cell, whose end was stripped."""
    end = between.rstrip()
    return (
        f"{cell} ".split(between) if end != between and cell.endswith(end) else cell.split(between)
    )


def _named_by_letters(texts: Sequence[str]) -> Options:
    marks = [*_LETTERS, *map(str, range(len(_LETTERS), len(texts)))]
    return _tidy(zip(marks, texts, strict=False))


def _are_options(column: pl.Series) -> bool:
    """Tell whether nearly every cell holds options; the others are faults of rows."""
    cells = column.drop_nulls().to_list()
    return bool(cells) and sum(bool(_of_cell(cell)) for cell in cells) >= _MOST * len(cells)


def _of_cell(cell: str | None) -> Options:
    """Read `["...", "..."]`, `{"text": [...], "label": [...]}` or `{"A": ..., "B": ...}`.

    In CSV these may stand as Python writes them. Empty where it is none of them.
    """
    found = _value(cell or "")
    if isinstance(found, list):
        texts_only = all(isinstance(text, str) for text in found)
        return _named_by_letters(found) if texts_only else []
    if not isinstance(found, dict):
        return []
    texts, marks = found.get("text"), found.get("label")
    if not isinstance(texts, list):
        marks, texts = list(found), list(found.values())
    elif not isinstance(marks, list) or len(marks) != len(texts):
        return []
    if not all(text is None or isinstance(text, str) for text in texts):
        return []
    return _tidy((str(mark), text) for mark, text in zip(marks, texts, strict=True))


def _value(cell: str) -> Any:
    if not cell.startswith(("{", "[")):
        return None
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        pass  # perhaps as Python writes it, with other quotes
    try:
        return ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def _way(pairs: Sequence[tuple[Options, str]], where: str, *, told: bool) -> str | None:
    """Choose how answers name options; raises ParamsError where they could do so in two ways."""
    found = {name: [way(row, answer) for row, answer in pairs] for name, way in _WAYS.items()}
    whole = [name for name in _WAYS if pairs and None not in found[name]]
    if not whole:
        named = {name: sum(each is not None for each in found[name]) for name in _WAYS}
        best = max(_WAYS, key=lambda name: named[name])
        many = pairs and named[best] >= _MOST * len(pairs)
        return best if many or told else None
    if whole[0] not in ("mark", "letter") and any(found[w] != found[whole[0]] for w in whole):
        raise ParamsError(
            f"{where} could name options by text or by number, counted from 0 or from 1 (such as"
            f" {pairs[0][1][:_SHOWN]!r}); write letters in their place, or say --kind label"
        )
    return whole[0]


def _by_mark(row: Options, answer: str) -> str | None:
    return _only(row, [k for k, (mark, _) in enumerate(row) if mark == answer])


def _by_letter(row: Options, answer: str) -> str | None:
    plain = answer.strip("().: ").upper()
    return _only(row, [_LETTERS.index(plain)] if len(plain) == 1 and plain in _LETTERS else [])


def _by_text(row: Options, answer: str) -> str | None:
    plain = answer.strip().casefold()
    return _only(row, [k for k, (_, text) in enumerate(row) if text.strip().casefold() == plain])


def _from_0(row: Options, answer: str) -> str | None:
    return _only(row, [int(answer)] if answer.isdecimal() else [])


def _from_1(row: Options, answer: str) -> str | None:
    return _only(row, [int(answer) - 1] if answer.isdecimal() else [])


def _only(row: Options, places: Sequence[int]) -> str | None:
    fits = len(places) == 1 and 0 <= places[0] < min(len(row), len(_LETTERS))
    return _LETTERS[places[0]] if fits else None


_WAYS: dict[str, _Way] = {
    "mark": _by_mark,
    "letter": _by_letter,
    "text": _by_text,
    "from_0": _from_0,
    "from_1": _from_1,
}
