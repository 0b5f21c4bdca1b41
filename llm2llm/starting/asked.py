"""Rows of a file that a student is asked about, their columns joined as `init` joined them."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from llm2llm.exceptions import DataError
from llm2llm.json_cells import cell_text
from llm2llm.starting.joining import as_lines
from llm2llm.starting.kinds import n_listing
from llm2llm.starting.options import listed, options_of
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
        text = values.get(fields.input)
        if fields.joined and fields.input not in values and fields.joined[0] in values:
            cells = {name: cell_text(values.get(name)) for name in fields.joined}
            text = as_lines({name: (cell or "").strip() or None for name, cell in cells.items()})
        if fields.options and isinstance(text, str) and text.strip() and not n_listing([text]):
            options = options_of(values, fields.options)
            if len(options) < 2:
                on_bad(
                    DataError(
                        f"{file}:{number}: found {len(options)} options in"
                        f" {', '.join(fields.options)}, which the student's input lists, expected"
                        " at least two; fill them in, or write them into the input as `A. ...`"
                    )
                )
                continue
            text = listed(text.strip(), options)
        if fields.joined or fields.options:
            values = values if text is None else {**values, fields.input: text}
        yield number, values
