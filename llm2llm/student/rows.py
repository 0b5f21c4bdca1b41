"""The rows of a training in tokens: what is left out of them is counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llm2llm.exceptions import StudentError
from llm2llm.ids import Json
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.student.classes import labeled
from llm2llm.student.formatting import Template, within
from llm2llm.tasks.sections import AnswerFormat


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows to train on, and those left out as they have more tokens than `max_tokens`."""

    rows: Sequence[Any]
    n_too_long: int
    max_tokens: int


def rows_of(
    template: Template,
    examples: Sequence[tuple[str, str]],
    params: TrainIterParams,
    answer_format: AnswerFormat | None,
    context: int | None,
) -> Rows:
    """Encode the examples and leave out those that are too long.

    The limit is `max_tokens`, else the longest row, and at most the model's context.
    Raises StudentError where a target is empty, or no row is left.
    """
    for number, (_, target) in enumerate(examples, start=1):
        if not target.strip():
            raise StudentError(
                f"training: example {number} of {len(examples)} has an empty target, expected text"
                " to learn; remove the row, or mend it"
            )
    encoded: Sequence[Any]
    if params.kind == "classifier" and answer_format is not None:
        encoded = labeled(template, examples, answer_format)
    else:
        inputs, targets = zip(*examples, strict=True)
        encoded = template.encode(inputs, targets)
    longest = max(len(row.input_ids) for row in encoded)
    limit = min(params.max_tokens or longest, context or longest)
    rows = within(encoded, limit)
    if not rows:
        raise StudentError(
            f"training: all {len(encoded)} examples are longer than {limit} tokens (the shortest"
            f" has {min(len(row.input_ids) for row in encoded)}); raise `train_iter.max_tokens`, or"
            " take a base model with a longer context"
        )
    return Rows(rows, len(encoded) - len(rows), limit)


def counts(rows: Rows, kind: str) -> dict[str, Json]:
    """Count examples and tokens, as the manifest says."""
    found: dict[str, Json] = {
        "examples": len(rows.rows) + rows.n_too_long,
        "examples_too_long": rows.n_too_long,
        "tokens": sum(len(row.input_ids) for row in rows.rows),
    }
    if kind == "causal":
        found["target_tokens"] = sum(len(row.input_ids) - row.n_prompt for row in rows.rows)
    return found
