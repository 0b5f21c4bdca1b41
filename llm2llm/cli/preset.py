"""`llm2llm preset`: ready-made params.yaml files, students and teachers."""

import itertools
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
import yaml

from llm2llm.cli.tables import table
from llm2llm.exceptions import ParamsError
from llm2llm.files import write_text
from llm2llm.stage import PARAMS
from llm2llm.starting.presets import (
    ROW_TOKENS,
    about,
    memory_of,
    names,
    render,
    student_preset,
    teacher_preset,
)
from llm2llm.student.memory import gib

preset = typer.Typer(help="List, show or use ready-made params.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="print JSON")]
Train = Annotated[Path | None, typer.Option(help="raw train rows, in place of the preset's")]
Test = Annotated[Path | None, typer.Option(help="raw test rows, in place of the preset's")]


@preset.command("list")
def list_presets(json_: Json = False) -> None:
    """List the presets with what each is for.

    Example: llm2llm preset list
    """
    found = {name: about(name) for name in names()}
    if json_:
        print(json.dumps(found, indent=2))
    else:
        for name, text in found.items():
            print(f"{name:14} {text}")


@preset.command("students")
def list_students(json_: Json = False) -> None:
    """List the students that `llm2llm init --student` knows, and the memory that they take.

    Example: llm2llm preset students
    """
    found = {name: student_preset(name) for name in names("students")}
    if json_:
        print(
            json.dumps(
                {
                    name: {
                        "about": about(name, "students"),
                        "model": one.params["base_model"]["model"],
                        "memory_bytes": memory_of(one),
                    }
                    for name, one in found.items()
                },
                indent=2,
            )
        )
        return
    columns = ("training_cpu", "training_cuda", "prediction_cuda")
    rows = []
    for name, one in found.items():
        need = memory_of(one)
        told = [gib(need[column]) if column in need else None for column in columns]
        rows.append([name, one.params["base_model"]["model"], *told])
    table(["student", "model", "training, CPU", "training, GPU", "prediction, GPU"], rows)
    print(f"\nestimates, for rows of {ROW_TOKENS} tokens; `llm2llm validate` has yours\n")
    for name in found:
        print(f"{name:14} {about(name, 'students')}")


@preset.command("teachers")
def list_teachers(json_: Json = False) -> None:
    """List the teachers that `llm2llm init --teacher` knows, and what to do before they answer.

    Example: llm2llm preset teachers
    """
    found = {name: teacher_preset(name) for name in names("teachers")}
    if json_:
        told = {
            name: {"about": about(name, "teachers"), "note": one.note, "params": one.params}
            for name, one in found.items()
        }
        print(json.dumps(told, indent=2))
        return
    for name, one in found.items():
        print(f"{name:14} {about(name, 'teachers')}")
        if one.note is not None:
            print(f"{'':14} {one.note}")


@preset.command("show")
def show(name: str, json_: Json = False) -> None:
    """Print the params.yaml that a preset writes.

    Example: llm2llm preset show gsm8k-smoke
    """
    text = render(name)
    print(json.dumps(yaml.safe_load(text), indent=2) if json_ else text, end="\n" if json_ else "")


@preset.command("use")
def use(name: str, train: Train = None, test: Test = None, json_: Json = False) -> None:
    """Write params.yaml from a preset; a params.yaml of your own is kept as params.yaml.bak.

    Example: llm2llm preset use gsm8k-smoke --train gsm8k/train.jsonl --test gsm8k/test.jsonl
    """
    if not Path("dvc.yaml").is_file():
        raise ParamsError(
            "dvc.yaml: no such file, so no project is here that a params.yaml could be for; go to"
            " the repository's root, or make a project of your own rows with `llm2llm init`"
        )
    text = render(name, train, test)
    kept = None
    if PARAMS.exists() and PARAMS.read_text(encoding="utf-8") not in {render(n) for n in names()}:
        kept = next(path for path in _backups() if not path.exists())
        shutil.copy2(PARAMS, kept)
    write_text(PARAMS, text)
    if json_:
        print(json.dumps({"written": str(PARAMS), "kept": str(kept) if kept else None}))
    else:
        print(f"{PARAMS} is now preset {name}" + (f"; yours is kept as {kept}" if kept else ""))
        print("next: llm2llm validate, then dvc repro")


def _backups() -> Iterator[Path]:
    """Name params.yaml.bak, then numbered ones, so that none is ever overwritten."""
    yield PARAMS.with_suffix(".yaml.bak")
    yield from (PARAMS.with_suffix(f".yaml.bak.{n}") for n in itertools.count(2))
