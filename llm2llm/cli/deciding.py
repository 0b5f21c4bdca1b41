"""Decide what a table's rows are, and ask a person where there is one and it is not clear."""

import sys
from collections.abc import Sequence

import typer

from llm2llm.exceptions import ParamsError
from llm2llm.starting.columns import Columns, choose_columns, no_such_column, told
from llm2llm.starting.joining import column_types, joined
from llm2llm.starting.kinds import KINDS, Guess, guess_kind, n_listing, of_kind
from llm2llm.starting.table import Table

# How often a person is asked who names what is not there.
_TRIES = 3


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
    input_ = input_ or _ask_column(table, "--input", "input", found.input, taken=target)
    target = target or _ask_column(table, "--target", "target", found.target, taken=input_)
    return choose_columns(table, input_, target)


def _ask_column(table: Table, flag: str, what: str, default: str, *, taken: str | None) -> str:
    """Ask until a column is named that is there and not taken, a few times."""
    for _ in range(_TRIES):
        name = str(typer.prompt(f"Which one is the {what}?", default=default))
        if name in table.frame.columns and name != taken:
            break
        if name == taken:
            print(f"{name!r} is taken already; name another column")
        else:
            print(no_such_column(table, flag, name))
    return name


def decide_kind(
    inputs: Sequence[str],
    targets: Sequence[str],
    kind: str | None,
    between: str | None = None,
    places: Sequence[str] = (),
) -> Guess:
    """Tell what kind of task it is; raises ParamsError as `decide_columns` does.

    `between` separates texts of which each target was a list; `places` are file and line of each
    row, for what is said of one.
    """
    if kind is not None:
        guess = of_kind(kind, targets, places=places)
        if kind == "choice":
            _require_options(inputs, targets)
        return guess
    if between is not None and any(between in target for target in targets):
        return of_kind("labels", targets, why="each target is a list of texts")
    found = guess_kind(inputs, targets, places)
    if found.sure:
        return found
    if not sys.stdin.isatty():
        raise ParamsError(
            f"it is not clear what kind of task this is ({found.why}, such as"
            f" {targets[0][:60]!r}); say --kind, one of {', '.join(KINDS)} (perhaps {found.kind})"
        )
    print(f"{found.why}, such as {targets[0][:60]!r}")
    asked = f"What are the targets ({', '.join(KINDS)})?"
    for _ in range(_TRIES):
        kind = str(typer.prompt(asked, default=found.kind))
        if kind in KINDS:
            break
        print(f"{kind!r} is no kind; name one of {', '.join(KINDS)}")
    return decide_kind(inputs, targets, kind, places=places)


def _require_options(inputs: Sequence[str], targets: Sequence[str]) -> None:
    if not n_listing(inputs):
        raise ParamsError(
            "--kind: found choice, but no input lists options, such as"
            f" {inputs[0][:60]!r} with the target {targets[0][:60]!r}; join them into the input as"
            " lines `A. ...`, have them in columns named A, B, ... or option_a, option_b, ..., or"
            " say --kind label"
        )
