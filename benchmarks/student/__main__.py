"""Compare ways to train and to ask one tiny Llama: `python benchmarks/student --base data/base`.

The base is the embedded student (`dvc repro base-model`), the data rows of the quick start; epochs,
batch size, rates, precision and threads are equal, nothing is packed. `published` does as the
paper's scripts do: one row per device step with accumulation, and batches of 64 in file order for
answers. `trl` is SFTTrainer; leave it out with --ways, or install TRL beside the lock file into an
environment of its own:

    python3.11 -m venv build/bench && build/bench/bin/pip install -r requirements.lock trl==1.16.0

CPU seconds are of the training (or the answering) alone; those before it are the start-up.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WAYS = {"train": ["llm2llm", "published", "trl"], "predict": ["llm2llm", "published"]}


def run(task: str, way: str, options: list[str]) -> dict[str, Any]:
    """Run one way in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, str(HERE / "ways.py"), task, way, folder, *options],
            capture_output=True,
            text=True,
        )
    if done.returncode:
        sys.exit(f"{task} {way} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


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
    parser.add_argument("--ways", nargs="+", default=["llm2llm", "published", "trl"])
    parser.add_argument("--tasks", nargs="+", default=["train", "predict"])
    parser.add_argument("--repeats", type=int, default=1)
    given = parser.parse_args()
    numbers = [given.rows, given.epochs, given.batch_size]
    length = "short" if given.short else "whole"
    options = [str(given.base.resolve()), *map(str, numbers), length]
    print("| task | way | tokens | CPU s | tokens per CPU s | start-up CPU s | peak MB | loss |")
    print("|---|---|---|---|---|---|---|---|")
    for task in given.tasks:
        for way in [way for way in WAYS[task] if way in given.ways] * given.repeats:
            found = run(task, way, options)
            loss = f"{found['loss']:.3f}" if found.get("loss") is not None else "-"
            print(
                f"| {task} | {way} | {found['tokens']} | {found['cpu_s']:.1f}"
                f" | {found['tokens'] / found['cpu_s']:.0f} | {found['start_up_cpu_s']:.1f}"
                f" | {found['peak_mb']:.0f} | {loss} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
