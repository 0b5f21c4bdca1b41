"""All files of a new project, as texts."""

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from llm2llm.exceptions import ParamsError
from llm2llm.ids import Json
from llm2llm.params.export import CardParams
from llm2llm.records.decisions import DECISIONS, NO_DECISIONS
from llm2llm.starting.choices import StudentChoice, TeacherChoice
from llm2llm.starting.gathering import LeftOut, RawRow
from llm2llm.starting.judging import with_judge
from llm2llm.starting.kinds import Guess
from llm2llm.starting.params_text import overlay
from llm2llm.starting.pipeline import pipeline_files
from llm2llm.starting.presets import WHOLE, names, source
from llm2llm.starting.task_file import is_arithmetic, task_text

RAW = "data/raw"
TASK = "task.yaml"
SOURCE_NOTE = f"{RAW}/source.json"
_SHOWN = 60
_HEADER = """\
# Params of this project. One section per stage holds what can change its bytes; `runtime` what
# cannot. All keys are needed. `llm2llm validate` lists every problem at once.
"""
FIXED = {
    ".gitignore": """\
/.llm2llm/
/.venv/
__pycache__/
/params.yaml.bak*
# All of data/ but the raw files and people's decisions is an out of the pipeline.
/data/*
!/data/raw/
!/data/review/
""",
    str(DECISIONS): NO_DECISIONS,
    ".dvcignore": ".venv\n.llm2llm\n__pycache__\n*.pyc\n",
    ".dvc/config": """\
[core]
    analytics = false
    autostage = false
    check_update = false
[cache]
    type = "reflink,hardlink,copy"
""",
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
}


@dataclass(frozen=True)
class Start:
    """What a person decided about a new project; `columns` are those of input and target.

    `made_of` names the columns that those were joined of, `answers` how answers named options,
    `unused` the others of the data.
    """

    name: str
    columns: tuple[str, str]
    made_of: Mapping[str, Sequence[str]]
    answers: str | None
    group: str | None
    unused: Sequence[str]
    guess: Guess
    splits: Mapping[str, Sequence[RawRow]]
    left_out: Sequence[LeftOut]
    sources: Json
    student: StudentChoice
    teacher: TeacherChoice
    n_seeds: int
    iterations: int
    random_seed: int


def project_files(start: Start, version: str) -> dict[str, str]:
    """Give the text of every file by its path, the same for the same decisions and version."""
    raw = {f"{RAW}/{name}.jsonl": _lines(rows, start) for name, rows in start.splits.items()}
    if start.left_out:
        raw[f"{RAW}/left_out.jsonl"] = "".join(_left_out(row) for row in start.left_out)
    return {
        **FIXED,
        **pipeline_files(),
        **raw,
        SOURCE_NOTE: _source_note(start, raw, version),
        TASK: task_text(
            start.guess,
            start.columns,
            start.splits["train"],
            name=start.name,
            description=f"From {start.columns[0]} to {start.columns[1]}.",
            classifier=start.student.classifier,
            chat=start.student.chat,
            made_of=start.made_of,
            answers=start.answers,
        ),
        "params.yaml": params_text(start),
    }


def require_arithmetic(start: Start) -> None:
    """Raise ParamsError where the symbolic teacher would have no problem that it can rewrite."""
    teaching = start.teacher.params["teacher_batch"]
    if teaching["backend"] == "symbolic" and not is_arithmetic(start.guess, start.splits["train"]):
        raise ParamsError(
            "--teacher: found symbolic, which rewrites worked arithmetic with"
            " `<<expression=result>>` and `#### answer` only, and these targets"
            f" ({start.guess.kind}, such as {start.splits['train'][0].target[:_SHOWN]!r}) are none;"
            f" name one with a model, such as {', '.join(_with_model())}"
        )


def _with_model() -> list[str]:
    return [name for name in names("teachers") if name != "symbolic"]


def params_text(start: Start) -> str:
    """Write params.yaml: the complete preset with the student's, the teacher's and these data."""
    text = source(WHOLE)
    text = _HEADER + text[text.index("\niterations:") :]
    own: dict[str, Any] = {
        "iterations": start.iterations,
        "random_seed": start.random_seed,
        "subsample": {"n_seeds": start.n_seeds, "rate": None},
        "export": {"name": start.name},
    }
    of_rows = values_of_rows(calculator=is_arithmetic(start.guess, start.splits["train"]))
    for changes in (of_rows, own, start.student.params, start.teacher.params):
        text = overlay(text, dict(changes))
    return with_judge(text) if start.guess.kind == "free" else text


def values_of_rows(*, calculator: bool) -> dict[str, Any]:
    """Give a project's own in place of what the quick start says of its rows.

    `calculator` says whether targets are worked out with `<<a=b>>`.
    """
    return {
        "task": TASK,
        "subsample": {name: f"{RAW}/{name}.jsonl" for name in ("train", "test", "dev")},
        "predict": {"calculator": calculator},
        "export": {
            "card": {
                **dict.fromkeys(CardParams.model_fields),
                "seeds_file": f"{RAW}/train.jsonl",
                "teacher_terms": {},
            },
        },
    }


def _lines(rows: Sequence[RawRow], start: Start) -> str:
    """Write rows as JSON lines by the columns' names, each with its line in the source."""
    line = "source_line"
    while line in start.columns:
        line = f"_{line}"
    return "".join(
        json.dumps(
            {start.columns[0]: row.input, start.columns[1]: row.target, line: row.line},
            ensure_ascii=False,
        )
        + "\n"
        for row in rows
    )


def _left_out(row: LeftOut) -> str:
    return json.dumps(dataclasses.asdict(row), ensure_ascii=False) + "\n"


def _source_note(start: Start, raw: Mapping[str, str], version: str) -> str:
    columns: dict[str, Json] = {"input": start.columns[0], "target": start.columns[1]}
    if start.group is not None:
        columns["group"] = start.group
    columns |= {what: list(of) for what, of in start.made_of.items()}
    note: Json = {
        "about": "where the files beside this one come from; do not edit them, make a new project",
        "llm2llm": version,
        "random_seed": start.random_seed,
        "sources": start.sources,
        "columns": columns,
        "left_out": dict(sorted(Counter(row.reason for row in start.left_out).items())),
        "files": {
            path.removeprefix(f"{RAW}/"): {
                "rows": text.count("\n"),
                "sha256": sha256(text.encode()).hexdigest(),
            }
            for path, text in raw.items()
        },
    }
    return json.dumps(note, indent=2, ensure_ascii=False) + "\n"
