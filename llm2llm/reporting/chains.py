"""The whole chain behind some examples, from files that history.json vouches for."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from llm2llm.exceptions import DataError
from llm2llm.files import read_json
from llm2llm.lineage.finished import Finished
from llm2llm.lineage.history import checked
from llm2llm.lineage.run import rows
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Gate:
    """A leakage gate, and the score from which it stops a candidate."""

    name: str
    rejected_from: float | None


@dataclass(frozen=True, slots=True)
class Chain:
    """An example with all that led to it; `messages` are role and content, `gates` in order."""

    example: Example
    seed: Example
    error: SeedError
    response: Response
    messages: Sequence[tuple[str, str]]
    gates: Sequence[Gate]
    kept: Kept


@dataclass(frozen=True, slots=True)
class _Files:
    errors: Path
    responses: Path
    gates: Sequence[Gate]
    kept: dict[str, Kept]


def chains(root: Path, finished: Finished, n_wanted: int) -> list[Chain]:
    """Follow added examples back, evenly spaced over the set, in its order."""
    seeds = {example.example_id: example for example in finished.examples if not example.request_id}
    added = [example for example in finished.examples if example.request_id]
    n = min(n_wanted, len(added))
    chosen = [added[k * len(added) // n] for k in range(n)]
    files = {
        iteration: _files(root, finished, iteration)
        for iteration in sorted({example.iteration or 0 for example in chosen})
    }
    return [
        _chain(files[example.iteration or 0], seeds[example.seed_id], example) for example in chosen
    ]


def _files(root: Path, finished: Finished, iteration: int) -> _Files:
    known, folder = finished.history.iterations[iteration].files, f"data/iterations/{iteration}"
    return _Files(
        errors=checked(root, known, f"{folder}/errors.parquet"),
        responses=checked(root, known, f"{folder}/responses.parquet"),
        gates=_gates(checked(root, known, f"{folder}/screened/certificate.json")),
        kept={row.example_id: row for row in finished.kept[iteration]},
    )


def _chain(files: _Files, seed: Example, example: Example) -> Chain:
    response = _only(files.responses, Response, request_id=example.request_id or "")
    return Chain(
        example=example,
        seed=seed,
        error=_only(files.errors, SeedError, seed_id=seed.example_id),
        response=response,
        messages=_messages(files.responses, response),
        gates=files.gates,
        kept=files.kept[example.example_id],
    )


def _only(path: Path, record: type[Record], **equals: str) -> Record:
    found = rows(path, record, **equals)
    if len(found) != 1:
        wanted = ", ".join(f"{field} {value}" for field, value in equals.items())
        raise DataError(
            f"{path}: found {len(found)} rows with {wanted}, expected 1; `dvc repro` (or"
            " `dvc checkout`) brings the file and the set together"
        )
    return found[0]


def _messages(path: Path, response: Response) -> list[tuple[str, str]]:
    try:
        sent = json.loads(response.request)["messages"]
        return [(str(message["role"]), str(message["content"])) for message in sent]
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{path}: request {response.request_id} has no list of messages, expected role and"
            " content of each; another version wrote it: `dvc repro --force` asks the ledger again"
        ) from None


def _gates(certificate: Path) -> list[Gate]:
    try:
        return [
            Gate(str(gate["gate"]), gate.get("rejected_from"))
            for gate in read_json(certificate)["gates"]
        ]
    except (KeyError, TypeError, AttributeError):
        raise DataError(
            f"{certificate}: found no list of gates, expected `gates` with the name of each;"
            " another version wrote it: `dvc repro --force` writes it again"
        ) from None
