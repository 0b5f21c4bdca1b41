"""See that people's decisions hold: each is about what was kept, and what it made is there."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from llm2llm.bundle import layout
from llm2llm.bundle.checks import Problem
from llm2llm.bundle.manifest import Manifest
from llm2llm.bundle.records import ExportedDecision
from llm2llm.ids import example_id
from llm2llm.streaming import RecordFile

if TYPE_CHECKING:
    import polars as pl

_KINDS = ("accept", "edit", "reject")
_PARENT = ["example_id", "seed_id", "iteration", "request_id"]
_EDIT = [*_PARENT, "gate_version"]


def decisions(folder: Path) -> Iterator[Problem]:
    """Look at each row by itself: its kind, and that its texts are those of its id."""
    for place, row in enumerate(RecordFile(folder / layout.REVIEW, ExportedDecision)):
        where = f"row {place}, {row.example_id}"
        if row.decision not in _KINDS:
            yield Problem(layout.REVIEW, f"{where}: decision is {row.decision!r}")
        made = (row.edited_id is None, row.gate_version is None)
        if made != ((False, False) if row.decision == "edit" else (True, True)):
            yield Problem(layout.REVIEW, f"{where}: {row.decision}, and not what goes with it")
        if row.input is not None and row.target is not None:
            if row.withheld is not None:
                yield Problem(layout.REVIEW, f"{where}: withheld, and yet its text stands there")
            if example_id(row.input, row.target) != row.example_id:
                yield Problem(layout.REVIEW, f"{where}: its text is not that of its id")
        elif row.decision != "accept" and row.withheld is None:
            yield Problem(layout.REVIEW, f"{where}: no text, and not said to be withheld")


def parentage(
    table: "Mapping[str, pl.LazyFrame]", manifest: Manifest
) -> "Iterator[tuple[str, pl.LazyFrame, pl.LazyFrame, list[str], str]]":
    """Give file, children, parents, key and name of the parent of what people decided."""
    import polars as pl

    rows = table[layout.REVIEW]
    edited = table[layout.DATASET].filter(pl.col("origin") == "edited")
    edits = rows.filter(pl.col("decision") == "edit").with_columns(example_id=pl.col("edited_id"))
    left_out = pl.col("example_id").is_in([row.example_id for row in manifest.left_out])
    yield layout.REVIEW, rows, table[layout.KEPT], _PARENT, "what it is about"
    yield layout.DATASET, edited, edits, _EDIT, "the decision that edited it"
    yield layout.REVIEW, edits.filter(~left_out), edited, _EDIT, "the example that it made"


def replaced(table: "Mapping[str, pl.LazyFrame]") -> "pl.LazyFrame":
    """Name the examples that are not handed on as they were, for a person said so."""
    import polars as pl

    wanted = pl.col("decision").is_in(["edit", "reject"])
    return table[layout.REVIEW].filter(wanted).select("example_id", replaced=pl.lit(value=True))
