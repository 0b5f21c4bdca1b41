"""Raw labelled rows as users bring them: JSON lines or Parquet, every fault named by its line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from llm2llm.answers import extract, why_unreadable
from llm2llm.exceptions import DataError
from llm2llm.ids import example_id
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import AnswerFormat, Fields


def read_raw(
    path: Path, fields: Fields, answer_format: AnswerFormat, *, may_be_empty: bool = False
) -> list[SplitRow]:
    """Read all rows of a raw file; raises DataError at the first row that cannot be used.

    `.parquet` files are read as Parquet (rows count from 1), all others as JSON lines. Every
    target must hold an answer that the task can read.
    """
    rows = [_row(path, line, value, fields, answer_format) for line, value in _values(path)]
    if not rows and not may_be_empty:
        raise DataError(
            f"{path}: empty, expected at least one row; name another file in params.yaml"
        )
    return rows


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; set its path under `subsample` in params.yaml"
            " (`llm2llm validate` checks it)"
        )
    if path.suffix == ".parquet":
        try:
            rows = pq.read_table(path).to_pylist()
        except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as failure:
            raise DataError(f"{path}: cannot be read as Parquet: {failure}") from None
        yield from enumerate(rows, start=1)
        return
    with path.open("rb") as stream:
        for line, raw in enumerate(stream, start=1):
            if not raw.strip():
                continue
            try:
                yield line, json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"))
            except UnicodeDecodeError as failure:
                raise DataError(f"{path}:{line}: not UTF-8 ({failure}); save it as UTF-8") from None
            except ValueError as failure:
                raise DataError(
                    f"{path}:{line}: not JSON ({failure}), found {_short(raw.decode())};"
                    " expected one JSON object per line"
                ) from None


def _row(
    path: Path, line: int, value: Any, fields: Fields, answer_format: AnswerFormat
) -> SplitRow:
    where = f"{path}:{line}"
    if not isinstance(value, dict):
        raise DataError(f"{where}: found {_short(value)}, expected a JSON object")
    apart = [name for name in fields.options or [] if name in value]
    if apart:
        raise DataError(
            f"{where}: found the column `{apart[0]}` of options, expected them as lines `A. ...` in"
            f" `{fields.input}`, since `fields.options` says that they are joined; `llm2llm init`"
            " makes a project whose rows are"
        )
    input_text = _text(where, value, fields.input)
    target = _text(where, value, fields.target)
    answer = extract(answer_format, target)
    if answer is None:
        why = f" ({why_unreadable(answer_format, target)})" if answer_format.fields else ""
        raise DataError(
            f"{where}: field `{fields.target}`: no {answer_format.kind} answer in"
            f" {_short(target)}{why}; the task's `answer` section says how one is read"
        )
    return SplitRow(example_id(input_text, target), input_text, target, answer, line)


def _text(where: str, value: dict[str, Any], field: str) -> str:
    if field not in value:
        raise DataError(
            f"{where}: field `{field}` is missing, found {', '.join(value) or 'no fields'};"
            " the task's `fields` section names the fields"
        )
    text = value[field]
    if not isinstance(text, str):
        raise DataError(
            f"{where}: field `{field}`: found {_short(text)} ({type(text).__name__}),"
            " expected text; write it in quotes"
        )
    if not text.strip():
        raise DataError(f"{where}: field `{field}`: empty, expected text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{where}: field `{field}`: holds half of a surrogate pair, expected whole characters"
        ) from None
    return text


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
