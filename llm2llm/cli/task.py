"""`llm2llm task`: write a task file from a sample, and look for faults in one."""

import json
from pathlib import Path
from typing import Annotated

import typer

from llm2llm.answers import extract
from llm2llm.cli.brought import Asked, bring
from llm2llm.cli.deciding import decide_kind
from llm2llm.cli.tables import block, fact, heading
from llm2llm.exceptions import DataError, ParamsError
from llm2llm.files import write_text
from llm2llm.params.loading import check, load_section, load_value, read_yaml
from llm2llm.params.subsample import SubsampleParams
from llm2llm.parsing import Candidate
from llm2llm.pending import seeds_as_errors
from llm2llm.previewing import STAND_IN
from llm2llm.prompts import render
from llm2llm.raw import read_raw
from llm2llm.records.split import SplitRow
from llm2llm.stage import PARAMS
from llm2llm.starting.checking import row_problems
from llm2llm.starting.choices import choose_student
from llm2llm.starting.sourcing import source_notes
from llm2llm.starting.table import FORMS
from llm2llm.starting.task_file import task_text
from llm2llm.subsampling import first_set
from llm2llm.tasks.sections import Task
from llm2llm.tasks.templates import check_task
from llm2llm.teacher_prompts import ask_to_write

task = typer.Typer(help="Write a task file, and look for faults in one.", no_args_is_help=True)

_SAMPLE = 5_000


@task.command()
def new(
    file: Annotated[Path, typer.Argument(help="The task file to write.")],
    data: Annotated[Path, typer.Option(help=f"Labeled rows: {FORMS}.")],
    input_: Annotated[
        list[str] | None,
        typer.Option("--input", help="The input's column; several, each named so, are joined."),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(help="The target's column; of several, each named so, JSON objects are made."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="label, labels, choice, number, json, text or free.")
    ] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="Whether a CSV names its columns.")
    ] = None,
    student: Annotated[
        str | None, typer.Option(help="For whom the prompt is; see `llm2llm preset students`.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a commented task file from what a file of rows looks like.

    Example: llm2llm task new task.yaml --data tickets.csv
    """
    if file.exists():
        raise ParamsError(f"{file}: exists already, expected a new file; name another")
    brought = bring(
        Asked(
            data=data,
            test=None,
            inputs=input_ or (),
            targets=target or (),
            kind=kind,
            group=None,
            header=header,
            max_rows=_SAMPLE,
            drop_bad_rows=True,
            random_seed=1,
        )
    )
    names = (brought.columns.input, brought.columns.target)
    rows = brought.train.rows
    guess = decide_kind(
        [row.input for row in rows],
        [row.target for row in rows],
        brought.kind,
        brought.between,
        [f"{data}:{row.line}" for row in rows],
    )
    chosen = choose_student(student, None, guess.kind)
    text = task_text(
        guess,
        names,
        rows,
        name=file.stem,
        description=f"From {names[0]} to {names[1]}.",
        classifier=chosen.classifier,
        chat=chosen.chat,
        made_of=brought.made_of,
        answers=brought.answers,
    )
    write_text(file, text)
    if json_:
        print(json.dumps({"written": str(file), "kind": guess.kind, "columns": names}))
    else:
        print(f"{file}: {guess.kind} ({guess.why}), for the student {chosen.name}")
        print(f"next: name it as `task` in {PARAMS}, then llm2llm task check")


@task.command("check")
def check_(
    n: Annotated[int, typer.Option("--n", min=0, help="How many rows are shown.")] = 2,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show the prompts on rows of yours, and find faults of labels and rows; exit 1 if any.

    Example: llm2llm task check --n 3
    """
    params = load_section(PARAMS, "subsample", SubsampleParams)
    path = Path(load_value(PARAMS, "task", str))
    checked, problems = check(Task, read_yaml(path), "", path.parent)
    problems = problems or (check_task(checked) if checked else [])
    if checked is None or problems:
        raise ParamsError("\n".join(f"{path}: {problem}" for problem in problems))
    rows: dict[str, list[SplitRow]] = {}
    for name in (params.train, params.test):
        try:
            rows[name] = read_raw(Path(name), checked.fields, checked.answer)
        except DataError as failure:
            problems.append(str(failure))
    if not problems:
        files = (params.train, params.test)
        problems = row_problems(checked, rows[files[0]], rows[files[1]], files)
    shown = [_shown(checked, row) for row in rows.get(params.train, [])[:n]]
    notes = list(source_notes(Path()))
    if json_:
        told = {"rows": shown, "problems": problems, "notes": notes}
        print(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _in_words(params.train, shown, problems, notes)
    if problems:
        raise typer.Exit(1)


def _shown(checked: Task, row: SplitRow) -> dict[str, object]:
    examples, _ = first_set([row])
    error = seeds_as_errors(examples, {}, 0, lambda _: STAND_IN)[0]
    request = ask_to_write(
        error,
        Candidate(row.input, row.target),
        [],
        prompt=checked.teacher,
        draw=0,
        random_seed=0,
        target_fields=checked.answer.fields,
    )
    return {
        "row": row.source_row,
        "student": render(checked.student.prompt, input=row.input),
        "target": row.target,
        "read as": extract(checked.answer, row.target),
        "teacher": [[message.role, message.content] for message in request.messages],
    }


def _in_words(
    train: str, shown: list[dict[str, object]], problems: list[str], notes: list[str]
) -> None:
    for place, row in enumerate(shown):
        heading(f"{train}:{row['row']}")
        block("the student is asked", str(row["student"]))
        block("and trained to answer", str(row["target"]))
        fact("which is read as", row["read as"])
        messages = row["teacher"]
        assert isinstance(messages, list)
        # Rules and exchange are the same for every row.
        for role, content in messages if place == 0 else messages[-1:]:
            block(f"the teacher: {role}", content)
    print()
    for problem in problems:
        print(f"problem: {problem}")
    for note in notes:
        print(f"note: {note}")
    if not problems:
        print("no fault found in the task and its rows; next: llm2llm validate")
