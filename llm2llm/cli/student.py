"""`llm2llm student export`: the trained model as a folder for others."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer

from llm2llm.cli.tables import percent, table
from llm2llm.exceptions import DataError
from llm2llm.files import read_json, read_records, replacing_folder, write_text
from llm2llm.lineage.run import open_run
from llm2llm.lineage.students import find_student
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.measuring import MeasuringParams
from llm2llm.records.judgments import AnswerJudgment
from llm2llm.records.split import SplitRow
from llm2llm.reporting.model_card import model_card
from llm2llm.stage import PARAMS
from llm2llm.student.base import read_base
from llm2llm.student.formatting import Template
from llm2llm.student.handover import HowToAsk, load_tokenizer, write_how_to_ask, write_weights
from llm2llm.student.loading import CLASSIFIER, is_adapter, student_kind
from llm2llm.student.prediction import answer_limit
from llm2llm.tasks.sections import AnswerFormat, Fields, StudentFormat

BASE = Path("data/base")

student = typer.Typer(help="Hand the trained student on.", no_args_is_help=True)


@student.callback()
def _commands() -> None:
    """Keep `export` a command of its own, though it is the only one."""


@student.command()
def export(
    out: Annotated[Path, typer.Option(help="A folder that does not exist yet.")],
    iteration: Annotated[
        str | None, typer.Option(help="A number, or `best` by the dev rows; else the newest.")
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Put an adapter into its base.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a student as a folder that transformers and vLLM load, with a model card.

    Example: llm2llm student export --iteration best --merge --out my-student
    """
    if out.exists():
        raise DataError(f"{out}: exists already, expected a new folder; name another as --out")
    root = Path()
    found = find_student(open_run(root), iteration)
    task = Path(load_value(PARAMS, "task", str))
    how = how_to_ask(found.folder, BASE, task)
    # Another machine may have, or lack, what this one has.
    elsewhere = how.predict.model_copy(update={"engine": "auto", "device": "auto"})
    with replacing_folder(out) as folder:
        write_weights(found.folder, BASE, folder, merge=merge)
        write_how_to_ask(folder, how.model_copy(update={"predict": elsewhere}))
        card = model_card(
            found,
            read_json(found.folder / "manifest.json"),
            read_base(BASE),
            how.student,
            task=load_value(task, "name", str),
            citation=load_value(task, "citation", str),
            is_adapter=is_adapter(folder),
            judgments=_judgments(found.folder.with_name("judgments.parquet")),
        )
        write_text(folder / "README.md", card)
    if json_:
        shares = {split: a.share for split, a in found.accuracy.items() if a.n}
        told = {"out": str(out), "iteration": found.iteration, "chosen_by": found.chosen_by}
        print(json.dumps(told | {"accuracy": shares}))
        return
    print(f"{out}: student of iteration {found.iteration}, {found.chosen_by}")
    table(
        ["rows", "n", "right %", "from", "to"],
        [
            [split, a.n, percent(a.n_right, a.n), f"{100 * a.low:.1f}", f"{100 * a.high:.1f}"]
            for split, a in found.accuracy.items()
            if a.n
        ],
    )
    print(f"next: llm2llm predict FILE --student {shlex.quote(str(out))}")


def _judgments(path: Path) -> list[AnswerJudgment]:
    # A run that an older version made has no such file.
    return read_records(path, AnswerJudgment) if path.exists() else []


def how_to_ask(folder: Path, base_folder: Path, task: Path) -> HowToAsk:
    """Gather what a student needs besides its weights, from this project's params and task.

    The token limit is settled by the seeds, and nothing is drawn.
    """
    student_format = load_section(task, "student", StudentFormat)
    params = load_section(PARAMS, "predict", MeasuringParams).answering
    limit = params.max_new_tokens
    if limit is None and student_kind(folder) != CLASSIFIER:
        seeds = read_records(Path("data/split/seed.parquet"), SplitRow)
        template = Template(student_format, load_tokenizer(folder, base_folder))
        limit = answer_limit(template, params, [seed.target for seed in seeds])
    settled = {"max_new_tokens": limit or 1, "samples": 1}
    return HowToAsk(
        fields=load_section(task, "fields", Fields),
        student=student_format,
        answer=load_section(task, "answer", AnswerFormat),
        predict=params.model_copy(update=settled),
    )
