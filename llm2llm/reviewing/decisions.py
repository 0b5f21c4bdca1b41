"""Read and write the decisions of a project, one JSON line for each example."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llm2llm.exceptions import DataError
from llm2llm.ids import canonical_json, example_id
from llm2llm.records.decisions import ACCEPT, DECISIONS, EDIT, NO_DECISIONS, REJECT, Decision

KINDS = (ACCEPT, EDIT, REJECT)
_BACK = (
    f"bring back what was committed with `git checkout {DECISIONS}`, and import again what was"
    " decided since"
)
_FIELDS = [field.name for field in dataclasses.fields(Decision)]


def edited_id(decision: Decision) -> str | None:
    """Name the example that an edit makes; null for the other decisions."""
    if decision.input is None or decision.target is None:
        return None
    return example_id(decision.input, decision.target)


def read_decisions(path: Path) -> dict[str, Decision]:
    """Read the decisions by example; none where there is no file. Raises DataError by line."""
    found: dict[str, Decision] = {}
    if not path.is_file():
        return found
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8; {_BACK}") from None
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            decision = _decision(json.loads(line))
        except ValueError as failure:
            raise DataError(f"{path}:{number}: {failure}; mend the line, or {_BACK}") from None
        if decision.example_id in found:
            raise DataError(
                f"{path}:{number}: a second decision about {decision.example_id}; keep one line"
            )
        found[decision.example_id] = decision
    return found


def decisions_text(decisions: Iterable[Decision]) -> str:
    """Write decisions, ordered by example, so that those of two people merge line by line."""
    ordered = sorted(decisions, key=lambda each: each.example_id)
    lines = [canonical_json(dataclasses.asdict(each)) + "\n" for each in ordered]
    return "".join(lines) or NO_DECISIONS


def parents(decisions: Mapping[str, Decision]) -> dict[str, str]:
    """Map the id of each edited example to that of the example it was."""
    named = ((edited_id(decision), name) for name, decision in decisions.items())
    return {edited: name for edited, name in named if edited is not None}


def _decision(value: Any) -> Decision:
    if not isinstance(value, dict) or sorted(value) != sorted(_FIELDS):
        raise ValueError(f"not a decision, expected an object with {', '.join(_FIELDS)}")
    for name, cell in value.items():
        needed = name in ("example_id", "decision")
        if not isinstance(cell, str) and (needed or cell is not None):
            raise ValueError(f"field {name}: found {cell!r}, expected text")
    decision = Decision(**value)
    if decision.decision not in KINDS:
        raise ValueError(
            f"field decision: found {decision.decision!r}, expected one of {', '.join(KINDS)}"
        )
    texts = (decision.input, decision.target)
    if (None in texts) if decision.decision == EDIT else any(text is not None for text in texts):
        raise ValueError("fields input and target: expected both for an edit, else neither")
    return decision
