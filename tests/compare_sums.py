"""Compare what a finished project's bundle adds up to with everything that tells of the run.

`python tests/compare_sums.py` in a project: each row of `data/export` is traced back by
`trace_bundle.py`, and its sums are those of `llm2llm status`, history.json and DVC's metrics.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from trace_bundle import trace


def told(*command: str) -> dict[str, Any]:
    """Run a command in the working directory, and read the JSON that it prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def disagreements() -> list[str]:
    """List what is no orphan's fault but differs, and every orphan."""
    orphans, sums = trace(Path("data/export"))
    status = told("llm2llm", "status", "--json")
    rows = status["iterations"]
    grown = rows[:-1]
    history = json.loads(Path(f"data/sets/{len(grown)}/history.json").read_text(encoding="utf-8"))
    counts = [entry["counts"] for entry in history["iterations"]]
    shown = told("dvc", "metrics", "show", "--json")
    metrics = shown[""]["data"]["data/report/metrics.json"]["data"]
    wanted = {
        "status n_examples": (sums["n_examples"], rows[-1]["n_examples"]),
        "status seeds": (sums["n_seeds"], rows[0]["n_examples"]),
        "status prompt tokens": (sums["prompt_tokens"], status["n_prompt_tokens"] or 0),
        "status completion tokens": (sums["completion_tokens"], status["n_completion_tokens"] or 0),
        "metrics n_examples": (sums["n_examples"], metrics["final"]["n_examples"]),
        "metrics rejected": (sums["rejected_by_gate"], metrics.get("rejected", {})),
        "metrics kept": (
            sums["kept"],
            [metrics["iterations"][str(row["iteration"])]["n_kept"] for row in grown],
        ),
    }
    for name, key in (
        ("kept", "n_kept"),
        ("errors", "n_errors"),
        ("rejected", "n_rejected"),
        ("seeds_right", "n_seeds_right"),
    ):
        wanted[f"status {name}"] = (sums[name], [row[key] for row in grown])
    for name in ("kept", "errors", "requests"):
        wanted[f"history {name}"] = (sums[name], [each[name] for each in counts])
    return [f"{row} has no parent" for row in orphans] + [
        f"{name}: the bundle adds up to {mine}, and {theirs} is told"
        for name, (mine, theirs) in wanted.items()
        if mine != theirs
    ]


def main() -> None:
    """Print what disagrees; exit 1 where something does."""
    found = disagreements()
    n_rows = trace(Path("data/export"))[1]["n_examples"]
    agreed = f"{n_rows} rows traced back; status, history and metrics agree"
    sys.stdout.write("\n".join(found or [agreed]) + "\n")
    raise SystemExit(1 if found else 0)


if __name__ == "__main__":
    main()
