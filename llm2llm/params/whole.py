"""The whole of params.yaml, its task file and its pool: every problem at once, before any work."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from llm2llm.exceptions import ParamsError
from llm2llm.params.base_model import BaseModelParams
from llm2llm.params.contradictions import judge_problems, sending_problems, teaching_problems
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.params.diff_errors import DiffErrorsParams
from llm2llm.params.exclude import SetsParams
from llm2llm.params.export import ExportParams
from llm2llm.params.loading import check, nearest, read_yaml
from llm2llm.params.measuring import MeasuringParams
from llm2llm.params.report import ReportParams
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.subsample import SubsampleParams
from llm2llm.params.teacher_batch import TeacherBatchParams
from llm2llm.params.train_control import TrainControlParams
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.tasks.sections import Task
from llm2llm.tasks.templates import check_task

SECTIONS: dict[str, type[BaseModel]] = {
    "base_model": BaseModelParams,
    "subsample": SubsampleParams,
    "train_iter": TrainIterParams,
    "predict": MeasuringParams,
    "diff_errors": DiffErrorsParams,
    "teacher_batch": TeacherBatchParams,
    "dedupe_against_test": DedupeParams,
    "sets": SetsParams,
    "train_control": TrainControlParams,
    "report": ReportParams,
    "export": ExportParams,
    "runtime": RuntimeParams,
}

_SCALARS: dict[str, type[Any]] = {"iterations": int, "random_seed": int, "task": str}


def problems(params: Path, pool: Path) -> list[str]:
    """List what does not hold, one line each, naming file and key; empty when all holds."""
    try:
        values = read_yaml(params)
    except ParamsError as failure:
        return [str(failure)]
    known = [*_SCALARS, *SECTIONS]
    found = [
        f"{params}: `{name}`: unknown section{nearest(name, known)}"
        for name in values
        if name not in known
    ]
    for name, kind in _SCALARS.items():
        if name not in values:
            found.append(f"{params}: `{name}`: missing")
        elif type(values[name]) is not kind:
            found.append(f"{params}: `{name}`: found {values[name]!r}, expected {_NAMES[kind]}")
    loaded: dict[str, BaseModel | None] = {}
    for name, model in SECTIONS.items():
        if name not in values:
            found.append(f"{params}: `{name}`: missing")
            continue
        loaded[name], lines = check(model, values[name], name, params.parent)
        found += [f"{params}: {line}" for line in lines]
    found += [f"{params}: {line}" for line in _of_judges(loaded)]
    found += _iterations(params, values.get("iterations"), pool)
    if isinstance(values.get("task"), str):
        task, lines = _task(params, values["task"])
        found += lines
        teaching, runtime = loaded.get("teacher_batch"), loaded.get("runtime")
        if task and isinstance(teaching, TeacherBatchParams) and isinstance(runtime, RuntimeParams):
            told = teaching_problems(teaching, runtime, task.teacher, task.answer)
            found += [f"{params}: {line}" for line in told]
        train = loaded.get("train_iter")
        classifies = isinstance(train, TrainIterParams) and train.kind == "classifier"
        if task and classifies and (why := task.answer.why_no_classes()):
            found.append(f"{params}: {why}")
        predict = loaded.get("predict")
        if task and isinstance(predict, MeasuringParams):
            found += [f"{params}: {line}" for line in judge_problems(task.answer, predict)]
    return found


def _of_judges(loaded: Mapping[str, BaseModel | None]) -> list[str]:
    """List what the judges that are on would stop for; sections that do not hold are told of."""
    screening, predict = loaded.get("dedupe_against_test"), loaded.get("predict")
    runtime = loaded.get("runtime")
    if not isinstance(runtime, RuntimeParams):
        return []
    judges = [
        screening.judging if isinstance(screening, DedupeParams) else None,
        predict.judge if isinstance(predict, MeasuringParams) else None,
    ]
    return [line for judge in judges if judge for line in sending_problems(judge, runtime, None)]


_NAMES = {int: "a whole number", str: "text"}


def _iterations(params: Path, iterations: Any, pool: Path) -> list[str]:
    if type(iterations) is not int:
        return []
    if iterations < 0:
        return [f"{params}: `iterations`: found {iterations}, expected 0 or more"]
    try:
        entries = read_yaml(pool).get("pool") or {}
    except ParamsError as failure:
        return [str(failure)]
    last = len(entries) - 1
    if iterations > last:
        return [
            f"{params}: `iterations`: found {iterations}, but {pool} holds only {last};"
            f" `llm2llm pool {iterations}` extends it"
        ]
    return []


def _task(params: Path, name: str) -> tuple[Task | None, list[str]]:
    path = Path(name)
    if not path.is_file():
        known = sorted(str(p) for p in Path("llm2llm/tasks").glob("*.yaml"))
        such = f", such as {' or '.join(known)}" if known else ""
        expected = f"expected the path of a task file{such}"
        return None, [f"{params}: `task`: found {name!r}, no such file; {expected}"]
    try:
        values = read_yaml(path)
    except ParamsError as failure:
        return None, [str(failure)]
    task, found = check(Task, values, "", path.parent)
    if task is not None:
        found = check_task(task)
    return task, [f"{path}: {line}" for line in found]
