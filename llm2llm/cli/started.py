"""What `llm2llm init` tells of the project that it made."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from llm2llm.extras import EXTRAS, is_installed
from llm2llm.starting.gathering import Gathered
from llm2llm.starting.label_sets import split
from llm2llm.starting.project import Start
from llm2llm.starting.splitting import interval_at
from llm2llm.starting.table import Table

# At this accuracy the width of the test's interval is told.
_SUPPOSED = 0.8
_LABELS_SHOWN = 12
_KINDS = {"labels": "a set of labels", "json": "a JSON object"}


def in_json(folder: Path, start: Start, committed: bool) -> dict[str, Any]:
    """Give it as JSON."""
    return {
        "folder": str(folder),
        "columns": start.columns,
        "kind": start.guess.kind,
        "labels": start.guess.labels,
        "fields": [field.model_dump() for field in start.guess.fields],
        "rows": {name: len(rows) for name, rows in start.splits.items()},
        "seeds": start.n_seeds,
        "left_out": Counter(row.reason for row in start.left_out),
        "warnings": list(_warnings(start)),
        "interval": dataclasses.asdict(interval_at(len(start.splits["test"]), _SUPPOSED)),
        "student": start.student.name,
        "teacher": start.teacher.name,
        "committed": committed,
    }


def in_words(folder: Path, start: Start, table: Table, train: Gathered, committed: bool) -> None:
    """Print it, and what to run next."""
    guess, splits = start.guess, start.splits
    for note in table.notes:
        print(f"note: {table.path}: {note}")
    print(f"{table.path}: {train.n_rows} rows, from `{start.columns[0]}` to `{start.columns[1]}`")
    n_read = len(train.rows) + len(train.left_out)
    if train.n_rows > n_read:
        print(f"  {n_read} of them were drawn; --max-rows takes more")
    more = " ..." if guess.labels[_LABELS_SHOWN:] else ""
    labels = f": {', '.join(guess.labels[:_LABELS_SHOWN])}{more}" if guess.labels else ""
    print(f"  {_KINDS.get(guess.kind, f'a {guess.kind}')} ({guess.why}){labels}")
    for field in guess.fields:
        needed = "" if field.required else ", may be missing"
        print(f"    {field.name}: {field.type}, {field.compare}{needed}")
    if start.left_out:
        counts = Counter(row.reason for row in start.left_out)
        counted = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.items()))
        print(f"  left out, and kept in data/raw/left_out.jsonl: {counted}")
    print(
        f"  {len(splits['train'])} train rows ({start.n_seeds} of them seeds),"
        f" {len(splits['dev'])} dev, {len(splits['test'])} test"
    )
    known = interval_at(len(splits["test"]), _SUPPOSED)
    print(
        f"  on {known.n} test rows an accuracy of {100 * known.share:.0f} % is known to within"
        f" {100 * known.low:.0f} to {100 * known.high:.0f} % (95 % interval)"
    )
    for warning in _warnings(start):
        print(f"warning: {warning}")
    print(f"student {start.student.name}, teacher {start.teacher.name}: see params.yaml")
    print(f"made {folder}/{'' if committed else ', not committed: git has no identity here'}")
    print("\nnext:")
    for line in _next(folder, start):
        print(f"  {line}")


def _next(folder: Path, start: Start) -> Iterator[str]:
    lacking = [
        extra
        for extra in ("pipeline", "training")
        if any(not is_installed(package) for package in EXTRAS[extra])
    ]
    if lacking:
        yield f"pip install 'llm2llm[{','.join(lacking)}]'"
    if start.teacher.note:
        yield start.teacher.note
    yield f"cd {folder}"
    yield "llm2llm task check   # the prompts on your rows, and faults of labels and rows"
    yield "llm2llm validate     # every problem of params, data and machine, before any work"
    yield "llm2llm quote        # what the teacher will be asked, and what that costs"
    yield "dvc repro            # the loop; again after any change"
    yield "llm2llm status       # how far it came"


def _warnings(start: Start) -> Iterator[str]:
    counts = {
        name: Counter(label for row in rows for label in _labels(start, row.target))
        for name, rows in start.splits.items()
    }
    for label in start.guess.labels:
        if not counts["train"][label]:
            yield f"no train row has the label {label!r}, so no student can learn it"
        elif not counts["test"][label]:
            yield f"no test row has the label {label!r}, so nothing measures it"
    n_leaks = sum(row.reason == "test item" for row in start.left_out)
    if n_leaks:
        yield f"{n_leaks} train rows are test items; they are in no split but test"


def _labels(start: Start, target: str) -> Iterable[str]:
    several = start.guess.kind == "labels"
    return set(split(start.guess.separator, target)) if several else (target,)
