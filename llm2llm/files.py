"""Atomic files: what exists under its own name is complete and, if Parquet, fits its schema."""

import dataclasses
import itertools
import json
import os
import shutil
import types
import typing
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from llm2llm.exceptions import DataError
from llm2llm.ids import Json

Record = TypeVar("Record")

# Few enough to bound memory, many enough that a reader of a million rows skips most of them.
_ROW_GROUP = 2_000

_TYPES: dict[Any, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    list[str]: pa.list_(pa.field("element", pa.string(), nullable=False)),
}


def schema_of(record: type[Any]) -> pa.Schema:
    """Derive the Parquet schema of a record class: `X | None` is nullable, all else is not."""
    fields = []
    for name, hint in typing.get_type_hints(record).items():
        nullable = isinstance(hint, types.UnionType)
        plain = next(a for a in typing.get_args(hint) if a is not type(None)) if nullable else hint
        fields.append(pa.field(name, _TYPES[plain], nullable=nullable))
    return pa.schema(fields, metadata={"record": record.__name__})


def write_records(path: Path, record: type[Record], rows: Iterable[Record]) -> None:
    """Write rows as one Parquet file of the record's schema; equal rows give equal bytes.

    Rows are taken, and written, a row group at a time; the file is begun when the first is there,
    since making it may take hours, and a killed run shall leave nothing beside its outputs.
    """
    schema = schema_of(record)
    source = iter(rows)
    n_before = 0
    group = list(itertools.islice(source, _ROW_GROUP))
    with (
        replacing(path) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        while group:
            columns = [
                pa.array([getattr(row, field.name) for row in group], field.type)
                for field in schema
            ]
            table = pa.table(columns, schema=schema)
            table.validate(full=True)
            _refuse_nulls(table, path, n_before)
            writer.write_table(table)
            n_before += len(group)
            group = list(itertools.islice(source, _ROW_GROUP))


def read_records(path: Path, record: type[Record]) -> list[Record]:
    """Read all rows of a Parquet file; raises DataError where it is not that record's file."""
    table = read_table(path, record)
    names = table.schema.names
    columns = [table.column(name).to_pylist() for name in names]
    return [
        record(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)
    ]


def read_table(path: Path, record: type[Any]) -> pa.Table:
    """Read a Parquet file as a table, checked against the record's schema."""
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; `dvc repro` makes it") from None
    except (pa.ArrowInvalid, OSError) as failure:
        raise DataError(
            f"{path}: cannot be read as Parquet ({failure}); delete it and run `dvc repro`"
        ) from None
    expected = schema_of(record)
    if not table.schema.equals(expected):
        differing = [
            f"{name}: found {_field(table.schema, name)}, expected {_field(expected, name)}"
            for name in dict.fromkeys([*expected.names, *table.schema.names])
            if _field(table.schema, name) != _field(expected, name)
        ]
        raise DataError(
            f"{path}: not a file of {record.__name__} records; "
            + ("; ".join(differing) or f"columns stand as {table.schema.names}")
            + "; another version wrote it: `dvc repro --force` writes it again"
        )
    return table


def _field(schema: pa.Schema, name: str) -> str:
    index = schema.get_field_index(name)
    if index < 0:
        return "no such column"
    field = schema.field(index)
    return f"{field.type}{'' if field.nullable else ' not null'}"


def _refuse_nulls(table: pa.Table, path: Path, n_before: int) -> None:
    for field in table.schema:
        column = table.column(field.name)
        if not field.nullable and column.null_count:
            row = n_before + column.is_null().to_pylist().index(True)
            raise DataError(f"{path}: row {row}, field {field.name}: null, expected {field.type}")


def write_json(path: Path, value: Json) -> None:
    """Write JSON for people and machines: sorted keys, two spaces, a final newline."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; raises DataError that names file and line."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; `dvc repro` makes it") from None
    except ValueError as failure:
        raise DataError(f"{path}: not JSON ({failure}); delete it and run `dvc repro`") from None
    except RecursionError:
        raise DataError(
            f"{path}: not JSON that can be read (nested too deeply); delete it and run `dvc repro`"
        ) from None


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with newlines as they are."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path; on success sync it and rename it to `path`, else remove it.

    An existing file is replaced, never written in place: its bytes may be a link into a cache. What
    a killed process left of an earlier try is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove_leftovers(path: Path) -> None:
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        owner = left.name.removesuffix(".tmp").rpartition(".")[2]
        if left.is_file() and owner.isdigit() and not _is_alive(int(owner)):
            left.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder; on success sync all of it and rename it to `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        for entry in sorted(temporary.rglob("*")):
            sync(entry)
        sync(temporary)
        aside = temporary.with_name(temporary.name + ".old")
        shutil.rmtree(aside, ignore_errors=True)
        if path.exists():
            path.rename(aside)  # at once, so that the folder is missing for a moment only
        temporary.rename(path)
        sync(path.parent)
        shutil.rmtree(aside, ignore_errors=True)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def sync(path: Path) -> None:
    """Make a file's bytes, or a folder's entries, survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a finished file a second name; across file systems copy it."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def as_json(record: Any) -> dict[str, Json]:
    """Turn a record into a JSON object."""
    return dataclasses.asdict(record)
