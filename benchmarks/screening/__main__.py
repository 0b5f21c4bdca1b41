"""Compare ways of finding near copies: `python -m benchmarks.screening FOLDER`.

FOLDER holds GSM8K's train.jsonl and test.jsonl. CPU seconds count everything after the import of
this file: reading, splitting, indexing, comparing. Ways that would take hours are given a few
candidates, spread over all, and their time is multiplied, less what the references alone cost
them. datasketch, rensa, rouge_score and datatrove (with spacy) are run by another Python, named by
--other: `python -m venv X && X/bin/pip install -r benchmarks/screening/requirements.txt`. What it
lacks is left out and said so. At the end this package and rensa, which come closest, take turns
over the higher cuts, as many rounds as --rounds says.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.screening.corpus import write_corpus

HERE = Path(__file__).resolve().parent
OTHERS = ("rouge_score", "datatrove", "datasketch", "rensa")
# (candidates, references, cut, candidates that each way is given; all where it is not named)
_FEW = {"rapidfuzz": 10_000, "rouge_score": 2, "datatrove": 5_000, "datasketch": 20_000}
_FEWER = {"rapidfuzz": 200, "rouge_score": 0, "datatrove": 0, "datasketch": 20_000}
SETTINGS: tuple[tuple[int, int, float, dict[str, int]], ...] = (
    (20_000, 1_300, 0.7, _FEW),
    (200_000, 1_300, 0.7, _FEW),
    (200_000, 1_300, 0.85, _FEW),
    (20_000, 100_000, 0.85, _FEWER | {"datasketch": 0}),
    (200_000, 100_000, 0.85, _FEWER),
)
HIGHER_CUTS = (0.85, 0.9, 0.95)


def run(python: str, way: str, folder: Path, cut: float, n: int | None) -> dict[str, Any] | None:
    """Run one way in a process of its own; None where its package is not installed."""
    command = [python, str(HERE / "ways.py"), way, str(folder), str(cut)]
    done = subprocess.run(
        command + ([str(n)] if n is not None else []), capture_output=True, text=True
    )
    if done.returncode:
        print(f"  {way}: {done.stderr.strip().splitlines()[-1]}", flush=True)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compare(raw: Path, other: str, setting: tuple[int, int, float, dict[str, int]]) -> float:
    """Print one table, each way's ratio to this package's among its columns; return its seconds."""
    n_candidates, n_references, cut, given = setting
    print(f"\n{n_candidates:,} candidates x {n_references:,} references, ROUGE-L F >= {cut}")
    print("way            CPU s  of llm2llm's  given  peak MB  near copies found  flags others")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder, raw, n_candidates, n_references)
        ours = run(sys.executable, "llm2llm", folder, cut, None)
        assert ours is not None
        near = {candidate for candidate, _ in ours["pairs"]}
        show("llm2llm", ours, ours["cpu_s"], n_candidates, near, near)
        for way in ("rapidfuzz", *OTHERS):
            n = given.get(way, n_candidates)
            python = sys.executable if way == "rapidfuzz" else other
            found = run(python, way, folder, cut, n) if n else None
            if found is None:
                continue
            start = run(python, way, folder, cut, 0) if n < n_candidates else None
            if start is not None:
                alone = start["cpu_s"]
                found["cpu_s"] = alone + (found["cpu_s"] - alone) * n_candidates / n
            every = max(1, n_candidates // n)
            there = {c for c in near if c % every == 0 and c < every * n}
            flagged = set(found.get("flagged", [c for c, _ in found.get("pairs", [])]))
            show(way, found, ours["cpu_s"], n, there, flagged)
            if way == "rapidfuzz":
                prove(ours["pairs"], found["pairs"], every, n)
    return float(ours["cpu_s"])


def show(
    way: str, found: dict[str, Any], ours: float, n: int, near: set[int], flagged: set[int]
) -> None:
    """Print the row of one way."""
    print(
        f"{way:11} {found['cpu_s']:10,.2f} {found['cpu_s'] / ours:11,.2f} x {n:7,}"
        f" {found['peak_mb']:7,.0f} {len(near & flagged):7,} of {len(near):6,}"
        f" {len(flagged - near):9,}",
        flush=True,
    )


def prove(ours: list[list[int]], theirs: list[list[int]], every: int, n: int) -> None:
    """Compare pair by pair with the exhaustive comparison; stop where they differ."""
    mine = sorted(pair for pair in ours if pair[0] % every == 0 and pair[0] < every * n)
    if mine != sorted(theirs):
        raise SystemExit(f"llm2llm's {len(mine)} pairs are not rapidfuzz's {len(theirs)}")
    print(f"  identical verdicts: {len(mine):,} pairs of {n:,} candidates with all references")


def in_turn(raw: Path, other: str, n_references: int, rounds: int) -> None:
    """Print the medians of two ways that take turns, so that both see the same machine."""
    print(f"\n200,000 candidates x {n_references:,} references, medians of {rounds} in turn")
    print("ROUGE-L F >=  llm2llm CPU s (least, most)  rensa CPU s (least, most)  of llm2llm's")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder, raw, 200_000, n_references)
        for cut in HIGHER_CUTS:
            taken: dict[str, list[float]] = {"llm2llm": [], "rensa": []}
            for _ in range(rounds):
                for way, python in zip(taken, (sys.executable, other), strict=True):
                    found = run(python, way, folder, cut, None)
                    if found is None:
                        return
                    taken[way].append(found["cpu_s"])
            ours, theirs = (statistics.median(times) for times in taken.values())
            columns = (
                f"{statistics.median(times):.2f} ({min(times):.2f}, {max(times):.2f})"
                for times in taken.values()
            )
            print(f"{cut:<13}", *(f"{column:>27}" for column in columns), f"{theirs / ours:.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--other", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--quick", action="store_true", help="the smallest setting alone")
    parser.add_argument("--rounds", type=int, default=5, help="in turn with rensa, 0 for none")
    given = parser.parse_args()
    settings = SETTINGS[: 1 if given.quick else None]
    seconds = [compare(given.folder, given.other, setting) for setting in settings]
    told = dict(zip([setting[:3] for setting in settings], seconds, strict=True))
    print()
    for (n, n_references, cut), cpu_s in told.items():
        more = told.get((10 * n, n_references, cut))
        if more is not None:
            print(
                f"{n:,} -> {10 * n:,} candidates x {n_references:,} at {cut}: {cpu_s:.1f} ->"
                f" {more:.1f} CPU s, {more / cpu_s:.1f} times"
            )
    for n_references in (1_300, 100_000) if given.rounds and not given.quick else ():
        in_turn(given.folder, given.other, n_references, given.rounds)


if __name__ == "__main__":
    main()
