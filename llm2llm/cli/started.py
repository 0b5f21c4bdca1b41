"""What `llm2llm init` tells of the project that it made."""

import dataclasses
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from llm2llm.cli.tables import printable
from llm2llm.extras import EXTRAS, is_installed
from llm2llm.starting.columns import told
from llm2llm.starting.gathering import Gathered, counted
from llm2llm.starting.label_sets import split
from llm2llm.starting.project import Start
from llm2llm.starting.splitting import interval_at

# At this accuracy the width of the test's interval is told.
_SUPPOSED = 0.8
_LABELS_SHOWN = 12
_KINDS = {
    "labels": "a set of labels",
    "json": "a JSON object",
    "free": "free text, which a judge grades",
}


def in_json(
    folder: Path, start: Start, notes: Sequence[str], *, committed_by: str | None
) -> dict[str, Any]:
    """Give it as JSON."""
    return {
        "folder": str(folder),
        "columns": start.columns,
        "joined": start.made_of,
        "group": start.group,
        "unused": start.unused,
        "kind": start.guess.kind,
        "labels": start.guess.labels,
        "fields": [field.model_dump() for field in start.guess.fields],
        "rows": {name: len(rows) for name, rows in start.splits.items()},
        "seeds": start.n_seeds,
        "left_out": Counter(row.reason for row in start.left_out),
        "notes": list(notes),
        "warnings": list(_warnings(start)),
        "interval": dataclasses.asdict(interval_at(len(start.splits["test"]), _SUPPOSED)),
        "student": start.student.name,
        "teacher": start.teacher.name,
        "committed": committed_by is not None,
        "committed_by": committed_by,
    }


def in_words(
    folder: Path,
    start: Start,
    notes: Sequence[str],
    read: Sequence[tuple[Path, Gathered]],
    *,
    committed_by: str | None,
) -> None:
    """Print it, and what to run next; `read` are the files, that of the train rows first."""
    for line in _told(folder, start, notes, read, committed_by=committed_by):
        print(printable(line))


def _told(
    folder: Path,
    start: Start,
    notes: Sequence[str],
    read: Sequence[tuple[Path, Gathered]],
    *,
    committed_by: str | None,
) -> Iterator[str]:
    guess, splits = start.guess, start.splits
    for note in notes:
        yield f"note: {note}"
    for path, found in read:
        yield f"{path}: {found.n_rows} rows, from `{start.columns[0]}` to `{start.columns[1]}`"
        n_read = len(found.rows) + len(found.left_out)
        if found.n_rows > n_read:
            yield f"  {n_read} of them were drawn; --max-rows takes more"
    yield from (f"  {line}" for line in _columns(start))
    more = " ..." if guess.labels[_LABELS_SHOWN:] else ""
    labels = f": {', '.join(guess.labels[:_LABELS_SHOWN])}{more}" if guess.labels else ""
    yield f"  {_KINDS.get(guess.kind, f'a {guess.kind}')} ({guess.why}){labels}"
    for field in guess.fields:
        needed = "" if field.required else ", may be missing"
        yield f"    {field.name}: {field.type}, {field.compare}{needed}"
    for file, of in (("data", ""), ("test", " of the test file")):
        left_out = [row for row in start.left_out if row.file == file]
        if left_out:
            kept = "left out, and kept in data/raw/left_out.jsonl"
            yield f"  {kept}: {counted(left_out)}{of}"
    yield (
        f"  {len(splits['train'])} train rows ({start.n_seeds} of them seeds),"
        f" {len(splits['dev'])} dev, {len(splits['test'])} test"
    )
    known = interval_at(len(splits["test"]), _SUPPOSED)
    yield (
        f"  on {known.n} test rows an accuracy of {100 * known.share:.0f} % is known to within"
        f" {100 * known.low:.0f} to {100 * known.high:.0f} % (95 % interval)"
    )
    yield from (f"warning: {warning}" for warning in _warnings(start))
    yield f"student {start.student.name}, teacher {start.teacher.name}: see params.yaml"
    if start.guess.kind == "free":
        yield "judge of answers: the teacher's model, shown test rows too; see `predict.judge`"
    if committed_by is None:
        yield f"made {folder}/, not committed: git has no identity here"
    else:
        told_of = "all files, the rows too, are committed"
        yield f"made {folder}/, a git repository: {told_of} by {committed_by}"
    yield "\nnext:"
    yield from (f"  {line}" for line in _next(folder, start))


def _columns(start: Start) -> Iterator[str]:
    """Say what became of the columns besides input and target."""
    input_, target = start.columns
    if "inputs" in start.made_of:
        yield (
            f"inputs: {', '.join(start.made_of['inputs'])} joined into `{input_}`, as lines"
            " `column: value`"
        )
    if "options" in start.made_of:
        yield (
            f"options: {', '.join(start.made_of['options'])} joined into the input, as lines"
            f" `A. ...`; `{target}` is their letter"
        )
    if start.group is not None:
        yield f"group: rows with the same `{start.group}` are in the same split"
    if start.unused:
        yield f"not used: {told(list(start.unused))}"


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
    yield f"cd {shlex.quote(str(folder))}"
    yield "llm2llm task check   # the prompts on your rows, and faults of labels and rows"
    yield "llm2llm validate     # every problem of params, data and machine, before any work"
    yield "llm2llm preview      # what the teacher will be told, before anything is paid"
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
