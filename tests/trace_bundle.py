"""Trace every exported row of a bundle back to its seed, with nothing but the bundle.

`python tests/trace_bundle.py FOLDER` prints the sums as JSON, and exits 1 if a row has no parent.
It uses none of llm2llm: what it needs to know about a bundle stands in docs/receiving.md.
"""

import hashlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


def trace(folder: Path) -> tuple[list[str], dict[str, Any]]:
    """Follow each example to seed, error, request, response and screening.

    Gives the rows that lead nowhere, and per iteration what the rows add up to.
    """

    def table(name: str) -> list[dict[str, Any]]:
        return pq.read_table(folder / f"{name}.parquet").to_pylist()

    seeds = {row["seed_id"]: row for row in table("lineage/seeds")}
    errors = {(row["seed_id"], row["iteration"]): row for row in table("lineage/errors")}
    requests = {row["request_id"]: row for row in table("lineage/requests")}
    responses = {row["request_id"]: row for row in table("lineage/responses")}
    kept = {row["example_id"]: row for row in table("lineage/kept")}
    edits = {}  # by the id of what a person made of an example; the file is there after a review
    if (folder / "lineage/review.parquet").exists():
        edits = {row["edited_id"]: row for row in table("lineage/review") if row["edited_id"]}
    rejected = table("rejected")
    examples = table("dataset")
    orphans = []
    n_of_iteration: Counter[int] = Counter()
    for row in examples:
        pair = json.dumps([row["input"], row["target"]], separators=(",", ":"), ensure_ascii=False)
        known = "ex-" + hashlib.sha256(pair.encode()).hexdigest()[:16] == row["example_id"]
        if row["origin"] == "seed":
            known &= row["seed_id"] == row["example_id"] and row["seed_id"] in seeds
        else:
            known &= _whole(row, seeds, errors, requests, responses, kept, edits)
            n_of_iteration[row["iteration"]] += 1
        if not known:
            orphans.append(row["example_id"])
    orphans += [row["request_id"] for row in rejected if row["request_id"] not in responses]
    orphans += sorted(responses.keys() ^ requests.keys())
    iterations = sorted({row["iteration"] for row in errors.values()})
    return orphans, {
        "n_examples": len(examples),
        "n_seeds": sum(row["origin"] == "seed" for row in examples),
        "kept": [n_of_iteration[i] for i in iterations],
        "errors": [sum(key[1] == i for key in errors) for i in iterations],
        "requests": [sum(r["iteration"] == i for r in requests.values()) for i in iterations],
        "rejected": [sum(r["iteration"] == i for r in rejected) for i in iterations],
        "rejected_by_gate": dict(Counter(row["gate"] for row in rejected)),
        "seeds_right": [
            sum(seed["verdicts"][i] == "right" for seed in seeds.values()) for i in iterations
        ],
        "prompt_tokens": sum(row["n_prompt_tokens"] or 0 for row in responses.values()),
        "completion_tokens": sum(row["n_completion_tokens"] or 0 for row in responses.values()),
    }


def _whole(
    row: dict[str, Any],
    seeds: dict[str, Any],
    errors: dict[tuple[str, int], Any],
    requests: dict[str, Any],
    responses: dict[str, Any],
    kept: dict[str, Any],
    edits: dict[str, Any],
) -> bool:
    edit = edits.get(row["example_id"])
    if (row["origin"] == "edited") != (edit is not None):
        return False
    error = errors.get((row["seed_id"], row["iteration"]))
    request, response = requests.get(row["request_id"]), responses.get(row["request_id"])
    screened = kept.get(edit["example_id"] if edit else row["example_id"])
    if row["seed_id"] not in seeds or None in (error, request, response, screened):
        return False
    assert error is not None and request is not None and response is not None
    assert screened is not None
    if request["request"] is not None:
        hashed = hashlib.sha256(request["request"].encode()).hexdigest()
        if row["request_id"] != "rq-" + hashed:
            return False
    return bool(
        error["checkpoint"] == row["checkpoint"]
        and error["ask"]
        and (row["error"] is None or error["text"] == row["error"])
        and request["seed_id"] == row["seed_id"]
        and request["prompt_sha256"] == row["prompt_sha256"]
        and response["status"] == "answered"
        and response["teacher"] == row["teacher"]
        and screened["request_id"] == row["request_id"]
        and (edit or screened)["gate_version"] == row["gate_version"]
    )


def main() -> None:
    """Print the sums; name the rows without parents."""
    orphans, sums = trace(Path(sys.argv[1]))
    sys.stdout.write(json.dumps({"orphans": orphans, **sums}, indent=2) + "\n")
    raise SystemExit(1 if orphans else 0)


if __name__ == "__main__":
    main()
