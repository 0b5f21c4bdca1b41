"""Rows of a file that a student is asked about, their columns joined as `init` joined them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time
from pathlib import Path
from typing import Any

from llm2llm.exceptions import DataError
from llm2llm.json_cells import cell_text
from llm2llm.starting.joining import as_lines
from llm2llm.starting.kinds import n_listing
from llm2llm.starting.options import letter_of, listed, options_of
from llm2llm.tasks.sections import Fields

Row = tuple[int, dict[str, Any]]


def joined_as_asked(
    rows: Iterable[Row], *, file: Path, fields: Fields, on_bad: Callable[[DataError], None]
) -> Iterator[Row]:
    """Yield rows with one input each; one that has it joined already stays as it is.

    `on_bad` gets what is wrong with a row without options where the task has them, and raises it,
    or the row is left out.
    """
    for number, values in rows:
        made = dict(values)
        if fields.joined and fields.input not in values:
            if not any(name in values for name in fields.joined):
                on_bad(DataError(f"{file}:{number}: {_lacking(values, fields.joined)}"))
                continue
            made[fields.input] = as_lines({name: _cell(values.get(name)) for name in fields.joined})
        text = made.get(fields.input)
        if fields.options and isinstance(text, str) and text.strip():
            options = options_of(values, fields.options)
            # The columns say more than a text, in which `A.` may stand for itself.
            if len(options) > 1 and not text.rstrip().endswith(listed("", options)):
                made[fields.input] = listed(text.strip(), options)
            elif len(options) < 2 and not n_listing([text]):
                on_bad(
                    DataError(
                        f"{file}:{number}: found {len(options)} options in"
                        f" {', '.join(fields.options)}, which the student's input lists, expected"
                        " at least two; fill them in, or write them into the input as `A. ...`"
                    )
                )
                continue
            answer = cell_text(values.get(fields.target))
            if answer is not None and fields.answers is not None and len(options) > 1:
                made[fields.target] = letter_of(fields.answers, options, answer.strip()) or answer
        yield number, made


def _lacking(values: Mapping[str, Any], joined: Sequence[str]) -> str:
    return (
        f"no column {' or '.join(f'`{name}`' for name in joined)}, of which the student's input is"
        f" joined; its columns: {', '.join(values) or 'none'}; rename them, or name with --input a"
        " column that holds all"
    )


def _cell(value: Any) -> str | None:
    """Write a cell as `init` does: stripped, a list with commas or bars, a day without a time."""
    if isinstance(value, list):
        texts = [text for text in map(cell_text, value) if text is not None]
        return ("|" if any("," in text for text in texts) else ", ").join(texts) or None
    if isinstance(value, datetime) and value.time() == time.min and value.tzinfo is None:
        return value.date().isoformat()
    return (cell_text(value) or "").strip() or None
