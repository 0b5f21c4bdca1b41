"""Count the planted leaks that the gates find, and the clean rows that they flag, as a table.

    python benchmarks/leak_bench.py FOLDER --set NAME TASK TRAIN TEST ... [--embedding]

FOLDER holds bench.jsonl and, where there are any, negatives_embedded.jsonl: rows with `kind`,
`text`, `dataset` and `source_test_id`, which is null for clean rows. Each --set says which task
file, train and test rows (JSON lines) a `dataset` is of. Cuts are calibrated, as params.yaml says,
on the first train rows that are no row of the benchmark; nothing is chosen by what comes out.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.ids import example_id
from llm2llm.leakage.encoder import Encode, load_encoder
from llm2llm.leakage.gate import Text
from llm2llm.leakage.gates import build_gates
from llm2llm.leakage.normalize import exact_keys
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.params.loading import load_section
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import Fields, LeakagePolicy

ROOT = Path(__file__).resolve().parent.parent
# Where another name or number makes another item, one that has them is no leak.
_NO_LEAK_UNMASKED = "number_name"
_PLAIN, _ALL_CLEAN = ("negative",), ("negative", "negative_embedded")


@dataclass(frozen=True, slots=True)
class Found:
    """One row of the benchmark: where it is from, and the gate that stopped it, if any."""

    dataset: str
    kind: str
    clean: bool
    masked: bool
    gate: str | None


def read(path: Path) -> list[dict[str, Any]]:
    """Read JSON lines; none where there is no file."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def as_rows(path: Path, field: str) -> list[SplitRow]:
    """Read texts as the gates take them."""
    texts = [row[field] for row in read(path)]
    return [
        SplitRow(example_id(text, ""), text, "", "", place)
        for place, text in enumerate(texts, start=1)
    ]


def check(
    name: str,
    files: Sequence[Path],
    rows: Sequence[dict[str, Any]],
    params: DedupeParams,
    encoder: tuple[Encode, str] | None,
) -> list[Found]:
    """Put a data set's rows through the gates, and print the cuts that they got."""
    task, train, test = files
    field = load_section(task, "fields", Fields).input
    policy = load_section(task, "leakage", LeakagePolicy)
    of_bench = {row["train_row"] for row in rows if row.get("train_row") is not None}
    shown = {key for row in rows for key in exact_keys(row["text"])}
    outside = [
        row
        for row in as_rows(train, field)
        if row.source_row - 1 not in of_bench and shown.isdisjoint(exact_keys(row.input))
    ]
    gates = build_gates(as_rows(test, field), outside, [], policy, params, encoder)
    print(f"{name}: {len(outside)} train rows outside the benchmark; cuts", end="")
    print("".join(f" {each.gate.name} {each.cut.value:g}" for each in gates.gates))
    flags = gates.check([Text(row["text"], "") for row in rows])
    return [
        Found(
            name,
            row["kind"],
            row["source_test_id"] is None,
            policy.masked,
            flag.gate if flag else None,
        )
        for row, flag in zip(rows, flags, strict=True)
    ]


def show(label: str, found: Iterable[Found]) -> None:
    """Print how many of these rows are flagged, and by which gates."""
    rows = list(found)
    gates = Counter(row.gate for row in rows if row.gate)
    n = sum(gates.values())
    by = ", ".join(f"{gate} {count}" for gate, count in gates.most_common())
    share = f"{n / len(rows):.2%}" if rows else "-"
    print(f"| {label} | {len(rows)} | {n} | {share} | {by or '-'} |")


def main() -> None:
    """Check all data sets and print one table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--params", type=Path, default=ROOT / "params.yaml")
    parser.add_argument("--embedding", action="store_true", help="with the gate embedding")
    parser.add_argument(
        "--set",
        dest="sets",
        nargs=4,
        action="append",
        required=True,
        metavar=("NAME", "TASK", "TRAIN", "TEST"),
    )
    given = parser.parse_args()
    params = load_section(given.params, "dedupe_against_test", DedupeParams)
    gates = {*params.gates, "embedding"} if given.embedding else set(params.gates) - {"embedding"}
    params = params.model_copy(update={"gates": sorted(gates - {"judge"})})
    encoder = None
    if given.embedding:
        encoder = load_encoder(params.embedding.encoder, params.embedding.revision)
    rows = read(given.folder / "bench.jsonl") + read(given.folder / "negatives_embedded.jsonl")
    if not rows:
        parser.error(f"{given.folder}: found no rows, expected bench.jsonl")
    if left := {row["dataset"] for row in rows} - {name for name, *_ in given.sets}:
        parser.error(f"{given.folder}: has rows of {', '.join(sorted(left))}; name each by --set")
    found: list[Found] = []
    for name, *files in given.sets:
        of_set = [row for row in rows if row["dataset"] == name]
        found += check(name, [Path(file) for file in files], of_set, params, encoder)
    print("\n| kind | rows | flagged | share | by gate |\n|---|---|---|---|---|")
    for kind, name in sorted({(row.kind, row.dataset) for row in found}):
        show(f"{kind}, {name}", (r for r in found if (r.kind, r.dataset) == (kind, name)))
    leaks = [row for row in found if not row.clean]
    show("all leaks", (r for r in leaks if r.masked or r.kind != _NO_LEAK_UNMASKED))
    show("plain negatives", (r for r in found if r.clean and r.kind in _PLAIN))
    show("all clean rows", (r for r in found if r.clean and r.kind in _ALL_CLEAN))


if __name__ == "__main__":
    main()
