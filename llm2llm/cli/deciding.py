"""Decide what a table's rows are, and ask a person where there is one and it is not clear."""

import sys
from collections.abc import Sequence

import typer

from llm2llm.exceptions import ParamsError
from llm2llm.starting.columns import Columns, choose_columns, told
from llm2llm.starting.joining import column_types, joined
from llm2llm.starting.kinds import KINDS, Guess, guess_kind, of_kind
from llm2llm.starting.table import Table


def join_targets(
    table: Table, targets: Sequence[str]
) -> tuple[Table, str | None, dict[str, str] | None]:
    """Make one target column of several; give the table, the column's name and the cells' types.

    Of one target, or none named, nothing is made, and the types are null.
    """
    if len(targets) < 2:
        return table, targets[0] if targets else None, None
    types = column_types(table, targets)
    table, name = joined(table, types)
    return table, name, types


def decide_columns(table: Table, input_: str | None, target: str | None) -> Columns:
    """Choose input and target, or ask; where nobody can be asked raise ParamsError with flags."""
    found = choose_columns(table, input_, target)
    if found.sure:
        return found
    names = told(table.frame.columns)
    if not sys.stdin.isatty():
        flags = [
            f"{flag} (perhaps {name})"
            for flag, given, name in (
                ("--input", input_, found.input),
                ("--target", target, found.target),
            )
            if given is None
        ]
        raise ParamsError(
            f"{table.path}: it is not clear which columns are meant among {names}; say"
            f" {' and '.join(flags)}"
        )
    print(f"{table.path} has the columns {names}")
    input_ = input_ or typer.prompt("Which one is the input?", default=found.input)
    target = target or typer.prompt("Which one is the target?", default=found.target)
    return choose_columns(table, input_, target)


def decide_kind(
    inputs: Sequence[str], targets: Sequence[str], kind: str | None, between: str | None = None
) -> Guess:
    """Tell what kind of task it is; raises ParamsError as `decide_columns` does.

    `between` separates texts of which each target was a list.
    """
    if kind is not None:
        return of_kind(kind, targets)
    if between is not None and any(between in target for target in targets):
        return of_kind("labels", targets, why="each target is a list of texts")
    found = guess_kind(inputs, targets)
    if found.sure:
        return found
    if not sys.stdin.isatty():
        raise ParamsError(
            f"it is not clear what kind of task this is ({found.why}, such as"
            f" {targets[0][:60]!r}); say --kind, one of {', '.join(KINDS)} (perhaps {found.kind})"
        )
    print(f"{found.why}, such as {targets[0][:60]!r}")
    asked = f"What are the targets ({', '.join(KINDS)})?"
    return of_kind(typer.prompt(asked, default=found.kind), targets)
