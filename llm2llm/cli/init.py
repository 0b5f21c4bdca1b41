"""`llm2llm init`: a project folder from a file of labeled rows."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from llm2llm.cli.brought import Asked, bring
from llm2llm.cli.deciding import decide_kind
from llm2llm.cli.new_folder import lies_inside, make_project, require_new
from llm2llm.cli.started import in_json, in_words
from llm2llm.exceptions import DataError, ParamsError
from llm2llm.ids import Json, sha256_file, sha256_json
from llm2llm.starting.choices import choose_student, choose_teacher
from llm2llm.starting.gathering import Gathered, LeftOut, without_test_items
from llm2llm.starting.label_sets import split
from llm2llm.starting.odd_rows import odd_values
from llm2llm.starting.project import Start, project_files, require_arithmetic
from llm2llm.starting.saved_dataset import is_saved_dataset, splits_of
from llm2llm.starting.splitting import shares_for, split_rows
from llm2llm.starting.table import FORMS

_MOST_SEEDS = 1_000


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.")],
    data: Annotated[Path, typer.Option(help=f"Labeled rows: {FORMS}.")],
    test: Annotated[
        Path | None, typer.Option(help="Test rows; else some of the rows are set aside.")
    ] = None,
    input_: Annotated[
        list[str] | None,
        typer.Option(
            "--input", help="The input's column; several, each named so, are joined as lines."
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="The target's column; of several, each named so, JSON objects are made."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="label, labels, choice, number, json, text or free.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="A column: rows with the same value stay in one split.")
    ] = None,
    n_seeds: Annotated[
        int | None, typer.Option(min=1, help="Train rows that are seeds; else up to 1,000.")
    ] = None,
    student: Annotated[
        str | None, typer.Option(help="See `llm2llm preset students`; or a model's folder.")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A hub id or folder in place of that student's.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="See `llm2llm preset teachers`; or an endpoint's URL.")
    ] = None,
    teacher_model: Annotated[
        str | None, typer.Option(help="The model's name there, in place of the preset's.")
    ] = None,
    key_env: Annotated[
        str | None, typer.Option(help="The environment variable that holds the key.")
    ] = None,
    iterations: Annotated[int, typer.Option(min=0, max=16, help="How far to go.")] = 3,
    random_seed: Annotated[int, typer.Option(help="Draws the splits and all else.")] = 1,
    max_rows: Annotated[
        int, typer.Option(min=1, help="Of a longer file so many rows are drawn.")
    ] = 20_000,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether a CSV names its columns.")
    ] = None,
    drop_bad_rows: Annotated[
        bool, typer.Option(help="Leave out rows that are empty, broken or contradict one another.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Make a project folder from a file of labeled rows; say what it took them for.

    Example: llm2llm init my-project --data tickets.csv --student minilm --teacher openai
    """
    require_new(folder)
    if test is None and is_saved_dataset(data) and "test" in splits_of(data):
        test = data
    brought = bring(
        Asked(
            data=data,
            test=test,
            inputs=input_ or (),
            targets=target or (),
            kind=kind,
            group=group,
            header=header,
            max_rows=max_rows,
            drop_bad_rows=drop_bad_rows,
            random_seed=random_seed,
        )
    )
    columns, train, tested = brought.columns, brought.train, brought.tested
    rows, out = without_test_items(train.rows, tested.rows if tested else [])
    left_out = [*train.left_out, *out, *_of_test(tested)]
    every = [*rows, *(tested.rows if tested else [])]
    targets = [row.target for row in every]
    places = [f"{data}:{row.line}" for row in rows]
    places += [f"{test}:{row.line}" for row in (tested.rows if tested else [])]
    with _naming(data):
        guess = decide_kind(
            [row.input for row in every], targets, brought.kind, brought.between, places
        )
        if "options" in brought.made_of:
            guess = replace(guess, why="the options stand in columns of their own")
        shares = shares_for(len(rows), with_test=tested is None, left_out=left_out)
    notes = [*brought.notes, *(odd_values(targets, places) if guess.kind == "json" else ())]
    splits = split_rows(
        rows,
        stratified=guess.kind in ("label", "choice"),
        random_seed=random_seed,
        shares=shares,
        labels_of=partial(split, guess.separator) if guess.kind == "labels" else None,
    )
    if tested is not None:
        splits["test"] = tested.rows
    n_train = len(splits["train"])
    if n_seeds is not None and n_seeds > n_train:
        raise ParamsError(
            f"--n-seeds: found {n_seeds}, but there are {n_train} train rows; lower it"
        )
    start = Start(
        name=_plain_name(folder),
        columns=(columns.input, columns.target),
        made_of=brought.made_of,
        answers=brought.answers,
        group=group,
        unused=brought.unused,
        guess=guess,
        splits=splits,
        left_out=left_out,
        sources=_sources(data, train, test, tested),
        student=choose_student(student, model, guess.kind),
        teacher=choose_teacher(teacher, teacher_model, key_env),
        n_seeds=n_seeds or min(n_train, _MOST_SEEDS),
        iterations=iterations,
        random_seed=random_seed,
    )
    require_arithmetic(start)
    notes += lies_inside(folder)
    committed_by = make_project(folder, project_files(start, version("llm2llm")))
    if json_:
        document = in_json(folder, start, notes, committed_by=committed_by)
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        read = [(data, train), *([(test, tested)] if test and tested else [])]
        in_words(folder, start, notes, read, committed_by=committed_by)


@contextmanager
def _naming(file: Path) -> Iterator[None]:
    """Name the file in what is said of its rows."""
    try:
        yield
    except DataError as failure:
        raise DataError(f"{file}: {failure}") from None


def _of_test(tested: Gathered | None) -> list[LeftOut]:
    return [replace(row, file="test") for row in tested.left_out] if tested else []


def _plain_name(folder: Path) -> str:
    name = re.sub(r"[^a-z0-9._-]+", "-", folder.resolve().name.casefold()).strip("-._")[:60]
    return name or "project"


def _sources(data: Path, train: Gathered, test: Path | None, tested: Gathered | None) -> Json:
    found: dict[str, Json] = {"data": _source(data, train)}
    if test is not None and tested is not None:
        found["test"] = _source(test, tested)
    return found


def _source(path: Path, found: Gathered) -> Json:
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        digest = sha256_json({str(file.relative_to(path)): sha256_file(file) for file in files})
    else:
        digest = sha256_file(path)
    # A name need not be UTF-8, as this note is.
    told = os.fsencode(path).decode(errors="replace")
    return {"path": told, "sha256": digest, "rows": found.n_rows}
