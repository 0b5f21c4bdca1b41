"""Compare ways to train and to ask one tiny Llama: `python benchmarks/student --base data/base`.

The base is the embedded student (`dvc repro base-model`), the data rows of the quick start; epochs,
batch size, rates, precision and threads are equal, nothing is packed. `published` does as the
paper's scripts do: one row per device step with accumulation, and batches of 64 in file order for
answers. `trl` is SFTTrainer and `vllm` the other engine that answers; each runs in the environment
that has it, which make makes:

    make .venv-bundle/.installed .venv-vllm/.installed

CPU seconds are of the training (or the answering) alone; those before it are the start-up. The ways
take turns, and medians stand below. Leave ways out with --ways.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bases import with_vocabulary

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WAYS = {"train": ["llm2llm", "published", "trl"], "predict": ["llm2llm", "published", "vllm"]}
ENVIRONMENTS = {"trl": ROOT / ".venv-bundle", "vllm": ROOT / ".venv-vllm"}


def run(task: str, way: str, options: list[str]) -> dict[str, Any]:
    """Run one way in a process of its own."""
    environment = ENVIRONMENTS.get(way)
    if environment and not (environment / "bin/python").exists():
        sys.exit(
            f"{way}: found no {environment}; run `make {environment.name}/.installed`, or leave it"
            " out with --ways"
        )
    python = str(environment / "bin/python") if environment else sys.executable
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, str(HERE / "ways.py"), task, way, folder, *options],
            capture_output=True,
            text=True,
        )
    if done.returncode:
        sys.exit(f"{task} {way} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def told(task: str, way: str, found: dict[str, Any]) -> str:
    """Write one line of the table."""
    loss = f"{found['loss']:.3f}" if found.get("loss") is not None else "-"
    return (
        f"| {task} | {way} | {found['tokens']:.0f} | {found['cpu_s']:.1f}"
        f" | {found['tokens'] / found['cpu_s']:.0f} | {found['start_up_cpu_s']:.1f}"
        f" | {found['peak_mb']:.0f} | {loss} |"
    )


def median(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Take the median of each number; all runs of a way have the same loss."""
    return {
        name: statistics.median(run[name] for run in runs) if runs[0][name] is not None else None
        for name in runs[0]
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=240)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--short", action="store_true", help="rows of one sentence and a number")
    parser.add_argument(
        "--vocabulary", type=int, help="train a random base of so many tokens instead; LLaMA: 32000"
    )
    parser.add_argument("--ways", nargs="+", default=["llm2llm", "published", "trl", "vllm"])
    parser.add_argument("--tasks", nargs="+", default=["train", "predict"])
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    if given.vocabulary and "predict" in given.tasks:
        parser.error("--vocabulary: random weights answer nothing; add --tasks train")
    with tempfile.TemporaryDirectory() as folder:
        base = given.base.resolve()
        if given.vocabulary:
            base = with_vocabulary(base, given.vocabulary, Path(folder))
        numbers = [given.rows, given.epochs, given.batch_size]
        options = [str(base), *map(str, numbers), "short" if given.short else "whole"]
        print(
            "| task | way | tokens | CPU s | tokens per CPU s | start-up CPU s | peak MB | loss |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for task in given.tasks:
            runs: dict[str, list[dict[str, Any]]] = {}
            for way in [way for way in WAYS[task] if way in given.ways] * given.repeats:
                found = run(task, way, options)
                runs.setdefault(way, []).append(found)
                print(told(task, way, found), flush=True)
            if given.repeats > 1:
                for way, of_way in runs.items():
                    print(told(f"{task}, median", way, median(of_way)), flush=True)


if __name__ == "__main__":
    main()
