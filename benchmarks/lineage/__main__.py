"""Measure what people do with a finished run, as it grows: `python benchmarks/lineage`.

A made-up run of ten iterations is merged once more, exported, verified and asked about. Each command
runs in a process of its own; memory is that process's peak, CPU time that of all its threads.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Nothing of llm2llm here: the peak of a process counts what its parent held when it was started.
ROOT = Path(__file__).resolve().parents[2]
MERGED = "10"
LLM2LLM = str(Path(sys.executable).parent / "llm2llm")


def measure(command: list[str], root: Path) -> tuple[float, float, float]:
    """Run a command in a folder: seconds, CPU seconds, peak MB; ends where it fails."""
    start = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            raise SystemExit(f"{command} exited {process.returncode}\n{output.read().decode()}")
    seconds = time.monotonic() - start
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def commands(ids: dict[str, str]) -> dict[str, list[str]]:
    """Name what is measured: stages, then questions about an example of each kind."""
    return {
        "merge": [sys.executable, str(ROOT / "stages/merge.py"), MERGED],
        "explain, first iteration": [LLM2LLM, "explain", ids["oldest"]],
        "explain, last iteration": [LLM2LLM, "explain", ids["newest"]],
        "explain, a rejected one": [LLM2LLM, "explain", ids["rejected"]],
        "blame": [LLM2LLM, "blame", ids["seed"]],
        "status": [LLM2LLM, "status"],
        "withdraw, a seed": [LLM2LLM, "withdraw", "--seed", ids["seed"]],
        "withdraw, a teacher": [LLM2LLM, "withdraw", "--teacher", "synthetic-1"],
        "diff, two iterations": [LLM2LLM, "diff", str(int(MERGED) - 1), MERGED],
        "diff, first and last": [LLM2LLM, "diff", "0", MERGED],
        "export": [sys.executable, str(ROOT / "stages/export.py"), MERGED],
        "verify": [LLM2LLM, "verify", "data/export"],
    }


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--only", nargs="+", help="what to measure, by the first word")
    given = parser.parse_args()
    print(f"{'examples':>10}  {'what':26} {'s':>8} {'CPU s':>8} {'peak MB':>8}")
    for n in given.sizes:
        root = Path(tempfile.mkdtemp(prefix="lineage-"))
        try:
            script = str(Path(__file__).with_name("synthetic.py"))
            made = subprocess.run(
                [sys.executable, script, str(root), str(n)], check=True, stdout=subprocess.PIPE
            )
            for what, command in commands(json.loads(made.stdout)).items():
                if given.only and what.split(",")[0] not in given.only:
                    continue
                seconds, cpu, peak = measure(command, root)
                print(f"{n:>10,}  {what:26} {seconds:8.1f} {cpu:8.1f} {peak:8.0f}", flush=True)
        finally:
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
