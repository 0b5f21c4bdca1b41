"""The default run over several random seeds, against its equal-updates control: a Markdown table.

    python benchmarks/quickstart_study.py --random-seeds 1 2 3 4 5 --folder study

Each run is a real `dvc repro` in a folder of its own; they share one DVC cache, so that the base
model, which does not depend on `random_seed`, is made once. A finished run is not run again.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Two-sided 95 % quantiles of Student's t for 1 to 9 degrees of freedom.
T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


def make_project(folder: Path, random_seed: int, cache: Path) -> None:
    """Copy the project's own files and set its random_seed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, target)
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / ".dvc/config.local").write_text(f"[cache]\n    dir = {cache}\n")
    params = folder / "params.yaml"
    text, n = re.subn(
        r"(?m)^random_seed: \d+", f"random_seed: {random_seed}", params.read_text(encoding="utf-8")
    )
    if n != 1:
        sys.exit(f"{params}: found {n} lines `random_seed: NUMBER`, expected one")
    params.write_text(text, encoding="utf-8")


def run(folder: Path, random_seed: int, cache: Path) -> dict:
    """Run the pipeline unless it was run, and read its metrics."""
    metrics = folder / "data/report/metrics.json"
    if not metrics.exists():
        if not (folder / "params.yaml").exists():
            make_project(folder, random_seed, cache)
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {**os.environ, "PATH": path, "PYTHONPATH": str(folder)}
        with (folder / "run.log").open("w", encoding="utf-8") as log:
            done = subprocess.run(
                ["dvc", "--wait-for-lock", "repro"], cwd=folder, env=env, stdout=log, stderr=log
            )
        if done.returncode:
            sys.exit(f"random_seed {random_seed}: dvc repro failed, see {folder / 'run.log'}")
    return json.loads(metrics.read_text(encoding="utf-8"))


def interval(values: list[float]) -> str:
    """Mean with a 95 % interval by Student's t."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return f"{mean:.1f}"
    half = T_95[len(values) - 2] * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.1f} [{mean - half:.1f}, {mean + half:.1f}]"


def main() -> None:
    """Run all seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random-seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--folder", type=Path, default=ROOT / "build/study")
    options = parser.parse_args()
    folder = options.folder.resolve()
    rows = []
    for random_seed in options.random_seeds:
        metrics = run(folder / f"seed-{random_seed}", random_seed, folder / "cache")
        of = metrics["iterations"]
        by_iteration = [100 * of[str(i)]["test_accuracy"] for i in range(len(of))]
        control = 100 * metrics["control"]["test_accuracy"]
        rows.append((random_seed, by_iteration, control, metrics["final"]["n_examples"]))
        print(f"random_seed {random_seed}: {by_iteration} control {control:.1f}", file=sys.stderr)
    n = len(rows[0][1])
    print(
        "| random_seed | examples | "
        + " | ".join(f"iteration {i}" for i in range(n))
        + " | control | final - control |"
    )
    print("|" + "---|" * (n + 4))
    for random_seed, curve, control, n_examples in rows:
        cells = " | ".join(f"{value:.1f}" for value in curve)
        print(
            f"| {random_seed} | {n_examples} | {cells} | {control:.1f} | {curve[-1] - control:+.1f} |"
        )
    cells = " | ".join(
        f"{statistics.mean(curve[i] for _, curve, _, _ in rows):.1f}" for i in range(n)
    )
    difference = interval([curve[-1] - control for _, curve, control, _ in rows])
    control = statistics.mean(control for _, _, control, _ in rows)
    print(f"| mean | | {cells} | {control:.1f} | {difference} |")


if __name__ == "__main__":
    main()
