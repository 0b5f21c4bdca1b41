"""The quick start, killed again and again inside train-iter and predict, ends as one left alone.

    python benchmarks/kills.py --kills 20 --random-seed 1

Runs params.yaml as it stands in two copies of the repository: once undisturbed, which measures how
long each stage takes; once with SIGKILL to the whole process group, at a moment drawn uniformly
from the time of a stage, kills dealt over all iterations. After each kill `llm2llm doctor --fix`
and `dvc repro` again. Prints the kills, and whether every file of the results is the same. Exits 1
where one is not, or where stages ended before enough kills had come.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS / "pipeline")]

from project import Project, make_project, wait_for  # noqa: E402 - the path comes first

POLL_S = 0.02
SCRIPTS = {"stages/train_iter.py": "train-iter", "stages/predict.py": "predict"}
Slot = tuple[int, str]


@dataclass(frozen=True)
class Kill:
    """One kill: where, how long after the stage's process began, and what it had kept by then."""

    slot: Slot
    seconds_in: float
    kept: str


def running(project: Project) -> Slot | None:
    """Find the stage of this project that trains or predicts now."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            command = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            is_ours = (entry / "cwd").resolve() == project.root.resolve()
        except OSError:
            continue  # it ended, or is another user's
        if is_ours and len(command) > 2 and command[1] in SCRIPTS:
            return int(command[2]), SCRIPTS[command[1]]
    return None


def undisturbed(project: Project) -> dict[Slot, float]:
    """Run the pipeline; give the seconds that each stage's process took."""
    took: dict[Slot, float] = {}
    run, seen, since = project.start(), None, 0.0
    while run.poll() is None:
        now = running(project)
        if now != seen:
            seen, since = now, time.monotonic()
        if seen:
            took[seen] = time.monotonic() - since
        time.sleep(POLL_S)
    expect_success(project, run)
    return took


def expect_success(project: Project, run: subprocess.Popen[bytes]) -> None:
    """Show what a run printed that failed by itself."""
    if run.wait():
        raise SystemExit(f"dvc repro exited {run.returncode}:\n{project.log()[-3000:]}")


def kept(project: Project, slot: Slot) -> str:
    """Say what the next process of a killed stage can go on from."""
    work = project.root / ".llm2llm/work"
    if slot[1] == "predict":
        return f"{len(list(work.glob('*/batches/*.json')))} batches"
    states = work.glob("*/states/checkpoint-*/complete")
    return f"update {max((int(p.parent.name.split('-')[1]) for p in states), default=0)}"


def disturbed(
    project: Project, took: dict[Slot, float], n_kills: int, rng: random.Random
) -> list[Kill]:
    """Kill so often, if the stages last for it, and let the pipeline end."""
    slots = sorted(took, key=lambda slot: (slot[0], slot[1] == "predict"))
    rounds = [slot for _ in range(n_kills // len(slots)) for slot in slots]
    due = Counter(rounds + rng.sample(slots, n_kills % len(slots)))
    kills: list[Kill] = []
    owed = 0
    run = project.start()

    def comes(slot: Slot) -> bool:
        """Wait for a stage; false where it is over."""
        while run.poll() is None:
            now = running(project)
            if now == slot:
                return True
            if now and slots.index(now) > slots.index(slot):
                return False
            time.sleep(POLL_S)
        expect_success(project, run)
        return False

    for slot in slots:
        owed += due[slot]  # what an earlier stage was too quick for is owed by this one
        while owed and comes(slot):
            began = time.monotonic()
            moment = rng.uniform(0, took[slot])
            while running(project) == slot and time.monotonic() < began + moment:
                time.sleep(POLL_S)
            if running(project) != slot:
                break
            os.killpg(run.pid, signal.SIGKILL)
            seconds_in = time.monotonic() - began
            run.wait()
            wait_for(lambda: running(project) is None, "the end of the stage", 30)
            kills.append(Kill(slot, seconds_in, kept(project, slot)))
            owed -= 1
            project.run("llm2llm", "doctor", "--fix")
            run = project.start()
    expect_success(project, run)
    return kills


def hashes(project: Project) -> dict[str, str]:
    """Name what was trained: the checkpoint and the set of each student."""
    found = {}
    for path in sorted(project.root.glob("data/**/student/manifest.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        name = str(path.parent.relative_to(project.root / "data"))
        for key in ("checkpoint_sha256", "set_sha256"):
            found[f"{name} {key.removesuffix('_sha256')}"] = manifest[key]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--random-seed", type=int, default=1, help="draws where and when")
    parser.add_argument("--iterations", type=int, help="instead of those of params.yaml")
    parser.add_argument(
        "--checkpoint-every-steps", type=int, default=40,
        help="of the killed run; it changes no byte, and the default of 200 would keep few states",
    )  # fmt: skip
    given = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        clean, killed = (make_project(Path(folder) / name) for name in ("clean", "killed"))
        changes = {} if given.iterations is None else {"iterations": given.iterations}
        clean.set_params(**changes)
        killed.set_params(
            runtime={"checkpoint_every_steps": given.checkpoint_every_steps}, **changes
        )
        took = undisturbed(clean)
        kills = disturbed(killed, took, given.kills, random.Random(given.random_seed))
        wanted, found = clean.results(), killed.results()
        students, again = hashes(clean), hashes(killed)
    print("| kill | stage | seconds in | undisturbed, s | kept |\n|---|---|---|---|---|")
    for number, kill in enumerate(kills, start=1):
        (i, stage), whole = kill.slot, took[kill.slot]
        print(f"| {number} | {stage}@{i} | {kill.seconds_in:.1f} | {whole:.1f} | {kill.kept} |")
    print("\n| hash of | undisturbed | killed | |\n|---|---|---|---|")
    for name, value in students.items():
        theirs = again.get(name, "none")
        print(
            f"| {name} | {value[:16]} | {theirs[:16]} | {'same' if value == theirs else 'OTHER'} |"
        )
    other = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
    reports = sum(name.startswith("data/report/") for name in wanted)
    print(
        f"\n{len(kills)} of {given.kills} kills, random_seed {given.random_seed},"
        f" {(time.monotonic() - begun) / 60:.0f} minutes; {len(wanted)} files of results,"
        f" {reports} of the report among them: {len(wanted) - len(other)} the same,"
        f" {len(other)} not{': ' if other else ''}{', '.join(other[:10])}"
    )
    if other or len(kills) < given.kills:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
