"""Tell what a person decided about an example, and what of it is in the export."""

from pathlib import Path

from llm2llm.lineage.chain import Ruling
from llm2llm.lineage.run import Run, columns
from llm2llm.records.decisions import Decision
from llm2llm.records.examples import Example
from llm2llm.reviewing.decisions import edited_id


def ruling(run: Run, decision: Decision) -> Ruling:
    """Lay a decision out with the example that it made."""
    edited = edited_id(decision)
    return Ruling(decision, edited, edited is not None and exported(run, edited))


def exported(run: Run, name: str) -> bool:
    """Say whether an example is in the release bundle."""
    return run.exported().exists() and holds(run.exported(), name)


def holds(path: Path, name: str) -> bool:
    """Say whether a file of examples holds one."""
    return bool(columns(path, Example, "example_id").column(0).index(name).as_py() >= 0)
