"""The rows that a person brings: data and test file read, joined and gathered alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from llm2llm.cli.deciding import decide_columns, join_targets
from llm2llm.exceptions import ParamsError
from llm2llm.starting.columns import Columns, told
from llm2llm.starting.gathering import Gathered, LeftOut, gather
from llm2llm.starting.joining import joined, joined_inputs, separated_alike
from llm2llm.starting.kinds import n_listing
from llm2llm.starting.odd_rows import mostly_objects, without_broken
from llm2llm.starting.options import join_options, option_columns
from llm2llm.starting.table import Table, read_table


@dataclass(frozen=True)
class Asked:
    """What flags say about files and columns, null or empty where nothing was said."""

    data: Path
    test: Path | None
    inputs: Sequence[str]
    targets: Sequence[str]
    kind: str | None
    group: str | None
    header: bool | None
    max_rows: int
    drop_bad_rows: bool
    random_seed: int


@dataclass(frozen=True)
class Brought:
    """Rows of both files by one input and one target column.

    `made_of` names the columns that were joined: inputs, targets and options; `answers` says how
    answers named options. `unused` are the other columns of the data. `between` separates texts of
    which each target was a list.
    """

    columns: Columns
    kind: str | None
    train: Gathered
    tested: Gathered | None
    between: str | None
    notes: list[str]
    made_of: dict[str, list[str]]
    answers: str | None
    unused: list[str]


def bring(asked: Asked) -> Brought:
    """Read the files, join what belongs together, and gather rows.

    Raises ParamsError for flags that do not fit the files, DataError for rows that cannot be used.
    """
    tables, columns, made_of = _read(asked)
    data = tables[0]
    if asked.group is not None and asked.group not in data.frame.columns:
        raise ParamsError(
            f"--group: {asked.data} has no column {asked.group!r}; its columns:"
            f" {told(data.frame.columns)}"
        )
    kind, options = asked.kind, _options(asked, data, columns, made_of)
    choices = None
    if options:
        choices = join_options(
            tables,
            options,
            (columns.input, columns.target),
            told=kind == "choice",
            drop_bad_rows=asked.drop_bad_rows,
        )
    out: Sequence[Sequence[LeftOut]] = [()] * len(tables)
    if choices is not None:
        tables, out, kind = choices.tables, choices.left_out, "choice"
        made_of["options"] = list(options)
    gathered = [
        _with(_gathered(asked, table, columns), left_out)
        for table, left_out in zip(tables, out, strict=True)
    ]
    targets = [row.target for found in gathered for row in found.rows]
    if "targets" not in made_of and kind in (None, "json") and mostly_objects(targets):
        gathered = [
            without_broken(found, table.path, drop_bad_rows=asked.drop_bad_rows)
            for found, table in zip(gathered, tables, strict=True)
        ]
    notes = [f"{table.path}: {note}" for table in tables for note in table.notes]
    if asked.group is not None and any(asked.group not in t.frame.columns for t in tables):
        notes.append(
            f"{asked.test}: has no column {asked.group!r}, so its groups may be in train too"
        )
    used = {columns.input, columns.target, asked.group}
    return Brought(
        columns,
        kind,
        gathered[0],
        gathered[1] if gathered[1:] else None,
        tables[0].lists.get(columns.target),
        notes,
        made_of,
        None if choices is None else choices.answers,
        [name for name in [*tables[0].frame.columns, *data.nested] if name not in used],
    )


def _options(
    asked: Asked, table: Table, columns: Columns, made_of: Mapping[str, object]
) -> tuple[str, ...]:
    """Name columns of options that the inputs do not list already; empty where there are none."""
    names = option_columns(table)
    if "targets" in made_of or asked.kind not in (None, "choice"):
        return ()
    if {columns.input, columns.target, asked.group} & set(names):
        return ()
    inputs = table.frame[columns.input].drop_nulls().to_list()
    return names if 2 * n_listing(inputs) <= len(inputs) else ()


def _read(asked: Asked) -> tuple[list[Table], Columns, dict[str, list[str]]]:
    """Read the tables, that of the data first, with several inputs and targets joined."""
    both = [name for name in asked.targets if name in asked.inputs]
    if both:
        raise ParamsError(f"--target: found {both[0]!r}, which is --input too; name another column")
    made_of: dict[str, list[str]] = {}
    table, target, types = join_targets(read_table(asked.data, header=asked.header), asked.targets)
    if types is not None:
        made_of["targets"] = list(types)
    input_ = asked.inputs[0] if asked.inputs else None
    if asked.inputs[1:]:
        table, input_ = joined_inputs(table, asked.inputs, keep=asked.group)
        made_of["inputs"] = list(asked.inputs)
    columns = decide_columns(table, input_, target)
    if asked.test is None:
        return [table], columns, made_of
    other = read_table(asked.test, header=asked.header, split="test")
    if types is not None:
        other, _ = joined(other, types, columns.target)
    if "inputs" in made_of:
        other, _ = joined_inputs(other, asked.inputs, columns.input, keep=asked.group)
    decide_columns(other, columns.input, columns.target)
    return list(separated_alike(table, other, columns.target)), columns, made_of


def _gathered(asked: Asked, table: Table, columns: Columns) -> Gathered:
    return gather(
        table,
        columns.input,
        columns.target,
        asked.group if asked.group in table.frame.columns else None,
        max_rows=asked.max_rows,
        drop_bad_rows=asked.drop_bad_rows,
        random_seed=asked.random_seed,
    )


def _with(found: Gathered, left_out: Sequence[LeftOut]) -> Gathered:
    """Count rows that were left out before."""
    every = sorted([*found.left_out, *left_out], key=lambda row: row.line)
    return replace(found, left_out=every, n_rows=found.n_rows + len(left_out))
