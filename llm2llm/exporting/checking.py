"""Read a bundle back before it is released, and stop if what must not leave is in it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from llm2llm.bundle.forms import first_difference
from llm2llm.bundle.layout import ALL_TABLES, DATASET, FORMS, MANIFEST
from llm2llm.exceptions import CountError, DataError, LeakageCheckError
from llm2llm.exporting.protected import SeedTexts, TestTexts
from llm2llm.exporting.secrets import Secrets
from llm2llm.exporting.withdrawn import WithdrawnTexts
from llm2llm.records.examples import Example
from llm2llm.streaming import RecordFile


def check_bundle(
    folder: Path,
    test: TestTexts,
    private: SeedTexts | None,
    withdrawn: WithdrawnTexts,
    secrets: Secrets,
) -> None:
    """Raise LeakageCheckError where a test item, private seed or withdrawn text is in any file.

    DataError where a key is. Of withdrawn texts only those are looked for that are long enough to
    stand in nothing else by chance.

    The forms are compared with the dataset line by line instead, as they hold nothing else.
    """
    examples = RecordFile(folder / DATASET, Example)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name in FORMS.values():
            form = next(form for form, file in FORMS.items() if file == name)
            different = first_difference(path, form, examples)
            if different is not None:
                raise CountError(
                    f"{name}, line {different[0]}: not the example {different[1]!r} of {DATASET};"
                    " nothing is exported; report this as a fault of llm2llm"
                )
            continue
        for where, text in _texts(path, name):
            item = test.item_in(text)
            if item is not None:
                raise LeakageCheckError(
                    f"{name}, {where}: test item {item} stands in it; nothing is exported. A text"
                    " of your own in params.yaml or the task file is yours to change; else report"
                    " this as a fault of llm2llm"
                )
            if private is not None and (seed := private.seed_in(text)) is not None:
                raise LeakageCheckError(
                    f"{name}, {where}: private seed {seed} stands in it; nothing is exported. A"
                    " text of your own in params.yaml or the task file is yours to change; else"
                    " report this as a fault of llm2llm"
                )
            if withdrawn.inside(text):
                raise LeakageCheckError(
                    f"{name}, {where}: a withdrawn text stands in it; nothing is exported. A text"
                    " of your own in params.yaml, the task file or a review is yours to change;"
                    " else report this as a fault of llm2llm"
                )
            secret = secrets.found_in(text)
            if secret is not None:
                raise DataError(
                    f"{name}, {where}: holds {secret}, or a text of that shape; nothing is"
                    " exported. Remove it from the raw data or params.yaml; if it is a key, revoke"
                    " it"
                )


def _texts(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Give all texts of a file with the place of each."""
    if name in ALL_TABLES:
        n_before = 0
        for batch in RecordFile(path, ALL_TABLES[name]).batches():
            for column, field in zip(batch.columns, batch.schema, strict=True):
                if field.name == "example_id" or field.name.endswith(("_id", "sha256")):
                    continue
                seen: set[str] = set()
                for row, value in enumerate(column.to_pylist(), start=n_before):
                    if isinstance(value, str) and value not in seen:
                        seen.add(value)
                        yield f"row {row}, field {field.name}", value
            n_before += batch.num_rows
    elif name.endswith(".json") and name != MANIFEST:
        yield from _leaves(json.loads(path.read_text(encoding="utf-8")), "")
    else:
        yield "as a whole", path.read_text(encoding="utf-8")


def _leaves(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield f"field {where.strip('.')}", value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield "a key", str(key)
            yield from _leaves(inner, f"{where}.{key}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{where}.{place}")
