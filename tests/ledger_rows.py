"""Ledger rows whose ids are the hashes of their requests, as a run writes them."""

import dataclasses
import random
from pathlib import Path
from typing import Any

from llm2llm.ids import canonical_json, sha256_json
from llm2llm.ledger.batches import Batches, BatchRequest
from llm2llm.ledger.database import Charge, Entry, Ledger

CREATED = "2026-11-22T10:00:00.000+00:00"


def row(number: int, n_characters: int = 400, **changes: Any) -> Entry:
    """Make an answered entry; the same number and length give the same one."""
    rng = random.Random(f"{number} {n_characters}")
    text = "".join(rng.choice("ab é\n") for _ in range(n_characters))
    described = {
        "format": 1,
        "messages": [{"role": "user", "content": text}],
        "draw": number,
        "teacher": {"backend": "openai", "model": "m-1", "max_tokens": 9},
    }
    made = Entry(
        request_id="rq-" + sha256_json(described),
        seed_id=f"ex-{number}",
        draw=number,
        backend="openai",
        request=canonical_json(described),
        status="answered",
        text=text[::-1],
        finish_reason="stop",
        failure=None,
        raw=canonical_json({"text": text[::-1]}),
        teacher="m-1-0001",
        n_prompt_tokens=10,
        n_completion_tokens=5,
        n_attempts=2,
        latency_s=1.0 if number % 2 else 0.25,
        cost=2.0 if number % 3 else 0.5,
        created=CREATED,
    )
    return dataclasses.replace(made, **changes)


def failed(number: int, failure: str, **changes: Any) -> Entry:
    """Make an entry of a request that failed for good."""
    nothing: dict[str, Any] = dict.fromkeys(["text", "raw", "finish_reason", "cost"])
    return row(number, status="failed", failure=failure, **(nothing | changes))


def fill(store: Path, rows: list[Entry], n_charges: int = 0) -> None:
    """Write rows to the ledger of a store, a few to each commit, and close it."""
    ledger = Ledger(store)
    for start in range(0, len(rows), 7):
        ledger.put_all(rows[start : start + 7])
    charges = [Charge(rows[k].request_id, "no JSON", 10, 5, 3.0, CREATED) for k in range(n_charges)]
    ledger.charge(charges)
    ledger.close()


def under_way(
    store: Path,
    endpoint: str,
    request_ids: list[str],
    *,
    batch_id: str | None = None,
    is_done: bool = False,
) -> None:
    """Write a batch that owes some requests: uploaded, or submitted where it has an id."""
    ledger = Ledger(store)
    batches = Batches(ledger)
    batch = batches.plan(endpoint, "m-1", 10, CREATED)
    batches.take(batch, [BatchRequest(one, "ex", 0, "{}", 2) for one in request_ids], n_before=0)
    state = "collected" if is_done else "submitted" if batch_id else "uploaded"
    there = dataclasses.replace(batch, state=state, file_id="file-1", batch_id=batch_id)
    batches.save(there, of="planned")
    batches.release(batch)
    ledger.close()


def content(store: Path) -> dict[str, Entry]:
    """Read all entries of a store's ledger."""
    ledger = Ledger(store)
    with ledger.reading() as connection:
        ids = [one for (one,) in connection.execute("SELECT request_id FROM requests")]
    found = dict(ledger.find(ids))
    ledger.close()
    return found
