"""A run of any size that no student and no teacher took part in, consistent down to the ids."""

import json
import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llm2llm.files import read_json, read_records, write_json, write_records
from llm2llm.ids import canonical_json, example_id, sha256_file, sha256_json
from llm2llm.merging import Iteration, history_entry, merge
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.judgments import AnswerJudgment
from llm2llm.records.predictions import Prediction
from llm2llm.records.responses import Response
from llm2llm.records.samples import Sample
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow
from llm2llm.records.state import SeedState
from llm2llm.streaming import RecordFile

ROOT = Path(__file__).resolve().parents[2]
N_TEST = 1_319  # as GSM8K has
N_ITERATIONS = 10
FILES = {
    "predictions.parquet": Prediction,
    "errors.parquet": SeedError,
    "responses.parquet": Response,
    "screened/kept.parquet": Kept,
    "screened/rejected.parquet": Rejected,
}
RULES = "Write one new problem that needs the same skill but differs in names and numbers. " * 12
NAMES = ("Ana", "Bo", "Cy", "Dee", "Eli", "Fay", "Gus", "Hal", "Ida", "Jo", "Kim", "Lee", "May")
THINGS = ("pears", "maps", "coins", "jars", "lamps", "ropes", "bells", "nails", "cups", "kites")


@dataclass(frozen=True)
class Size:
    """A set of `n` examples: a tenth are seeds, the rest come in ten equal parts."""

    n: int

    @property
    def n_seeds(self) -> int:
        return self.n // 10

    @property
    def n_kept(self) -> int:
        return (self.n - self.n_seeds) // N_ITERATIONS


def text(kind: str, number: int) -> tuple[str, str]:
    """Make an input and a target of the length of GSM8K's rows."""
    draw = random.Random(f"{kind}{number}")
    a, b, c = (draw.randrange(2, 900) for _ in range(3))
    one, two = draw.sample(NAMES, 2)
    thing, other = draw.sample(THINGS, 2)
    question = (
        f"{one} keeps {a} {thing} in shed {kind}-{number} and {two} brings {b} {other} on each of"
        f" {c} days. On the last day half of the {other} are given to {one}'s neighbor, who keeps"
        f" them beside the {thing}. How many {thing} and {other} are in the shed after that?"
    )
    total = a + b * c
    return question, (
        f"In {c} days {two} brings {b}*{c} = <<{b}*{c}={b * c}>>{b * c} {other}.\nWith the"
        f" {thing} there are {a}+{b * c} = <<{a}+{b * c}={total}>>{total}.\n#### {total}"
    )


def split_row(kind: str, number: int) -> SplitRow:
    question, target = text(kind, number)
    return SplitRow(
        example_id(question, target), question, target, target.rsplit(" ", 1)[1], number + 1
    )


class Synthetic:
    """A project folder that is filled iteration by iteration."""

    def __init__(self, root: Path, size: Size) -> None:
        self.root = root
        self.size = size
        self.seeds = [split_row("seed", k) for k in range(size.n_seeds)]

    def make(self) -> None:
        """Write ten whole iterations, and an eleventh that is not merged yet."""
        for name in ("params.yaml", "llm2llm/tasks/gsm8k.yaml"):
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        params = self.root / "params.yaml"
        lines = params.read_text(encoding="utf-8").replace(
            "iterations: 5", f"iterations: {N_ITERATIONS}"
        )
        params.write_text(lines, encoding="utf-8")
        test = [split_row("test", k) for k in range(N_TEST)]
        for name, rows in (("seed", self.seeds), ("dev", []), ("rest", []), ("test", test)):
            write_records(self.root / f"data/split/{name}.parquet", SplitRow, rows)
        here = self.root / "data/sets/0"
        write_records(
            here / "examples.parquet",
            Example,
            (
                Example(s.example_id, "seed", s.example_id, s.input, s.target, *([None] * 7))
                for s in self.seeds
            ),
        )
        states = [SeedState(s.example_id, [], 0, 0) for s in self.seeds]
        write_records(here / "state.parquet", SeedState, states)
        write_json(here / "history.json", {"iterations": []})
        for i in range(N_ITERATIONS):
            self.iteration(i, self.size.n_kept, self.size.n_seeds * 5 // 100)
            self.merge(i)
            print(f"  iteration {i} of {N_ITERATIONS}", file=sys.stderr, flush=True)
        self.iteration(N_ITERATIONS, self.size.n_seeds, 0)

    def iteration(self, i: int, n_kept: int, n_rejected: int) -> None:
        """Write the files of an iteration: so many seeds are wrong, and asked about once."""
        folder = self.root / f"data/iterations/{i}"
        n = n_kept + n_rejected
        wrong = [self.seeds[(k + i * 7) % len(self.seeds)] for k in range(n)]
        known = {seed.example_id for seed in wrong}
        checkpoint = sha256_json(["student", i])
        write_json(folder / "student/manifest.json", {"checkpoint_sha256": checkpoint})
        write_records(
            folder / "predictions.parquet",
            Prediction,
            (
                Prediction(
                    "seed",
                    seed.example_id,
                    "I think it is <<3*4=13>>13.\n#### 13",
                    "13",
                    "wrong" if seed.example_id in known else "right",
                    False,
                    20,
                )
                for seed in self.seeds
            ),
        )
        write_records(
            folder / "errors.parquet",
            SeedError,
            (
                SeedError(
                    seed.example_id, i, "wrong", f"It is {k}.\n#### {k}", str(k), 1, False, i, True
                )
                for k, seed in enumerate(wrong)
            ),
        )
        write_records(folder / "samples.parquet", Sample, [])
        write_records(folder / "judgments.parquet", AnswerJudgment, [])
        asked = [self.request(seed, i) for seed in wrong]
        ids = ["rq-" + sha256_json(request) for request in asked]
        new = [text(f"new{i}", k) for k in range(n)]
        write_records(
            folder / "responses.parquet",
            Response,
            (
                Response(
                    ids[k],
                    seed.example_id,
                    i,
                    "write",
                    None,
                    i,
                    "answered",
                    canonical_json({"question": new[k][0], "answer": new[k][1]}),
                    "stop",
                    None,
                    canonical_json(asked[k]),
                    "ab" * 32,
                    "synthetic-1",
                    400,
                    150,
                )
                for k, seed in enumerate(wrong)
            ),
        )
        write_records(
            folder / "screened/kept.parquet",
            Kept,
            (
                Kept(
                    example_id(*new[k]),
                    wrong[k].example_id,
                    ids[k],
                    *new[k],
                    "gates-0",
                    None,
                    None,
                    wrong[k].example_id,
                    0.5,
                )
                for k in range(n_kept)
            ),
        )
        write_records(
            folder / "screened/rejected.parquet", Rejected, self.rejected(wrong, ids, new, n_kept)
        )
        counts = {
            "candidates": n,
            "kept": n_kept,
            "rejected_by_gate": {"duplicate": n_rejected} if n_rejected else {},
        }
        certificate = {"gate_version": "gates-0", "gates": [], "counts": counts, "test_set": {}}
        write_json(folder / "screened/certificate.json", certificate)

    def request(self, seed: SplitRow, i: int) -> dict:
        """Make what would be sent: rules, the seed, the wrong answer; some 1.8 kB."""
        messages = [
            {"role": "system", "content": RULES},
            {"role": "user", "content": f"Problem:\n{seed.input}\n\nSolution:\n{seed.target}"},
        ]
        return {"messages": messages, "draw": i, "seed_input": seed.input}

    @staticmethod
    def rejected(
        wrong: list[SplitRow], ids: list[str], new: list[tuple[str, str]], start: int
    ) -> Iterator[Rejected]:
        for k in range(start, len(wrong)):
            seed = wrong[k].example_id
            yield Rejected(
                ids[k], seed, 0, *new[k], "duplicate", "too close", seed, 0.96, "gates-0"
            )

    def merge(self, i: int) -> None:
        """Merge as the stage does."""
        folder, here = self.root / f"data/iterations/{i}", self.root / f"data/sets/{i}"
        files = [RecordFile(folder / name, record) for name, record in FILES.items()]
        checkpoint = read_json(folder / "student/manifest.json")["checkpoint_sha256"]
        done = Iteration(i, checkpoint, *files)
        examples = RecordFile(here / "examples.parquet", Example)
        merged, states = merge(examples, read_records(here / "state.parquet", SeedState), done)
        names = [*FILES, "student/manifest.json", "screened/certificate.json"]
        hashes = {f"data/iterations/{i}/{name}": sha256_file(folder / name) for name in names}
        entry = history_entry(len(examples), sha256_file(here / "examples.parquet"), hashes, done)
        target = self.root / f"data/sets/{i + 1}"
        write_records(target / "examples.parquet", Example, merged)
        write_records(target / "state.parquet", SeedState, states)
        history = read_json(here / "history.json")["iterations"]
        write_json(target / "history.json", {"iterations": [*history, entry]})


def main() -> None:
    """Make a run: `python synthetic.py FOLDER N`; prints ids to ask about as JSON."""
    root = Path(sys.argv[1])
    Synthetic(root, Size(int(sys.argv[2]))).make()
    last = N_ITERATIONS - 1
    oldest, newest = (
        next(iter(RecordFile(root / f"data/iterations/{i}/screened/kept.parquet", Kept)))
        for i in (0, last)
    )
    path = root / f"data/iterations/{last}/screened/rejected.parquet"
    stopped = next(iter(RecordFile(path, Rejected)))
    ids = {
        "oldest": oldest.example_id,
        "newest": newest.example_id,
        "rejected": example_id(stopped.input or "", stopped.target or ""),
        "seed": oldest.seed_id,
    }
    print(json.dumps(ids))


if __name__ == "__main__":
    main()
