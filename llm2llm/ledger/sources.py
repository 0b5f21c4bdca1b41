"""Read entries from files that hold answers: exports, other ledgers, responses of earlier runs."""

import dataclasses
import json
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm2llm.exceptions import DataError, MachineError
from llm2llm.files import as_json, schema_of
from llm2llm.ledger.database import Entry
from llm2llm.ledger.pages import MAGIC
from llm2llm.ledger.reading import entries, reading
from llm2llm.ledger.rebuilding import is_moment, is_named_by_request
from llm2llm.records.responses import NO_ANSWER, Response

_BATCH = 500
_HINTS = typing.get_type_hints(Entry)
_COUNTED = ("draw", "n_prompt_tokens", "n_completion_tokens", "n_attempts", "latency_s", "cost")
_EXPECTED = (
    "expected an export (.parquet, .jsonl) of `llm2llm ledger export`, a ledger.sqlite, or a"
    " responses.parquet"
)


@dataclass(frozen=True, slots=True)
class Sourced:
    """An entry and where it stands; null for a row that is no outcome of a request."""

    where: str
    entry: Entry | None


def read_entries(path: Path, now: str) -> Iterator[Sourced]:
    """Yield the entries of a file, each checked; raises DataError at the first that does not hold.

    `now` is put where the file does not say when an answer came.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(len(MAGIC))
    except OSError as failure:
        raise DataError(f"{path}: cannot be read ({failure.strerror}); {_EXPECTED}") from None
    if start == MAGIC:
        found = _of_ledger(path)
    elif start.startswith(b"PAR1"):
        found = _of_parquet(path, now)
    else:
        found = _of_lines(path)
    for each in found:
        if each.entry is not None:
            _check(each.where, each.entry)
        yield each


def _of_ledger(path: Path) -> Iterator[Sourced]:
    try:
        with reading(path) as connection:
            for n, entry in enumerate(entries(connection), start=1):
                where = f"{path}: row {n}"
                yield Sourced(where, _of_object(where, as_json(entry)))
    except MachineError as failure:
        raise DataError(str(failure)) from None


def _of_parquet(path: Path, now: str) -> Iterator[Sourced]:
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
            is_export = schema.equals(schema_of(Entry))
            if not is_export and not schema.equals(schema_of(Response)):
                raise DataError(
                    f"{path}: found the columns {', '.join(schema.names)}; {_EXPECTED} of this"
                    " version"
                )
            n = 0
            for batch in file.iter_batches(_BATCH):
                for row in batch.to_pylist():
                    n += 1
                    where = f"{path}: row {n}"
                    entry = Entry(**row) if is_export else _of_response(where, row, now)
                    yield Sourced(where, entry)
    except (
        pa.ArrowInvalid,
        pa.ArrowNotImplementedError,
        OSError,
        UnicodeDecodeError,  # of a text in it
    ) as failure:
        raise DataError(f"{path}: cannot be read as Parquet ({failure}); {_EXPECTED}") from None


def _of_response(where: str, row: dict[str, Any], now: str) -> Entry | None:
    response = Response(**row)
    if response.failure == NO_ANSWER:
        return None
    teacher = _request(where, response.request)["teacher"]
    return Entry(
        request_id=response.request_id,
        seed_id=response.seed_id,
        draw=response.draw,
        backend=teacher["backend"],
        request=response.request,
        status=response.status,
        text=response.text,
        finish_reason=response.finish_reason,
        failure=response.failure,
        raw=None,
        teacher=response.teacher,
        n_prompt_tokens=response.n_prompt_tokens,
        n_completion_tokens=response.n_completion_tokens,
        n_attempts=1,
        latency_s=None,
        cost=None,
        created=now,
    )


def _of_lines(path: Path) -> Iterator[Sourced]:
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            where = f"{path}:{number}"
            try:
                value = json.loads(line.decode())
            except (ValueError, RecursionError) as failure:
                raise DataError(f"{where}: not JSON ({failure}); {_EXPECTED}") from None
            yield Sourced(where, _of_object(where, value))


def _of_object(where: str, value: Any) -> Entry:
    names = [field.name for field in dataclasses.fields(Entry)]
    if not isinstance(value, dict) or value.keys() != set(names):
        found = ", ".join(value) if isinstance(value, dict) else type(value).__name__
        raise DataError(f"{where}: found {found}; expected the fields {', '.join(names)}")
    for name in names:
        allowed = typing.get_args(_HINTS[name]) or (_HINTS[name],)
        given = value[name]
        if float in allowed and type(given) is int:
            value[name] = given = float(given)
        if type(given) not in allowed:
            raise DataError(
                f"{where}: field {name}: found {type(given).__name__}, expected"
                f" {' or '.join('null' if a is type(None) else a.__name__ for a in allowed)}"
            )
    return Entry(**value)


def _check(where: str, entry: Entry) -> None:
    """Raise DataError where an entry cannot be what a teacher said to its request."""
    backend = _request(where, entry.request)["teacher"]["backend"]
    if entry.backend != backend:
        raise DataError(f"{where}: field backend: found {entry.backend!r}, expected {backend!r}")
    if not _encodes(entry) or not is_named_by_request(entry.request_id, entry.request):
        raise DataError(
            f"{where}: {entry.request_id} is not the hash of its request; the row was changed"
            " after it was written"
        )
    answered = entry.status == "answered"
    if (
        entry.status not in ("answered", "failed")
        or answered != (entry.text is not None)
        or answered != (entry.failure is None)
    ):
        raise DataError(
            f"{where}: {entry.request_id}: status {entry.status!r} with"
            f" {'a' if entry.text is not None else 'no'} text and"
            f" {'a' if entry.failure is not None else 'no'} failure; expected answered with a"
            " text alone, or failed with a failure alone"
        )
    if not is_moment(entry.created):
        raise DataError(f"{where}: field created: found {entry.created!r}, expected a time")
    for name in _COUNTED:
        number = getattr(entry, name)
        if number is not None and not 0 <= number < 2**63:
            raise DataError(f"{where}: field {name}: found {number}, expected 0 or more")


def _request(where: str, request: str) -> dict[str, Any]:
    try:
        loaded = json.loads(request)
    except (ValueError, RecursionError):
        loaded = None
    teacher = loaded.get("teacher") if isinstance(loaded, dict) else None
    if not isinstance(teacher, dict) or not isinstance(teacher.get("backend"), str):
        raise DataError(
            f"{where}: field request: not the JSON of a request that names its teacher; {_EXPECTED}"
        )
    assert isinstance(loaded, dict)
    return loaded


def _encodes(entry: Entry) -> bool:
    # JSON can escape half a surrogate pair, which no column can hold.
    texts = [value for value in dataclasses.astuple(entry) if isinstance(value, str)]
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True
