"""`llm2llm validate`: all problems of params, data and environment at once, before any work."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from llm2llm.budget_left import left_of, used_up
from llm2llm.cli.doctor import examine
from llm2llm.cli.memory import memory_lines, memory_problems
from llm2llm.cli.pool import POOL
from llm2llm.cli.reaching import endpoint_problem, hub_problem
from llm2llm.cli.stage_python import stage_python_note
from llm2llm.cli.teaching import ledger_of
from llm2llm.exceptions import DataError, Llm2llmError, ParamsError
from llm2llm.leakage.exact import find_leaked
from llm2llm.params.base_model import BaseModelParams
from llm2llm.params.contradictions import endpoint_of
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.measuring import MeasuringParams
from llm2llm.params.openai_chat import OpenAIChatParams, missing_key
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.subsample import SubsampleParams
from llm2llm.params.teacher_batch import TeacherBatchParams
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.params.whole import problems
from llm2llm.raw import read_raw
from llm2llm.stage import PARAMS, store
from llm2llm.starting.sourcing import source_notes
from llm2llm.student.engine import choose_engine
from llm2llm.subsampling import subsample
from llm2llm.tasks.sections import AnswerFormat, Fields


def validate(
    reach: Annotated[
        bool, typer.Option(help="ask the model hub and the teacher's endpoint whether they answer")
    ] = True,
    json_: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Check params.yaml, the task, the raw data and this machine; list every problem found.

    Example: llm2llm validate
    """
    found = problems(PARAMS, POOL)
    found += [f"{finding.what}; {finding.mend}" for finding in examine(Path())]
    found += unwritable(Path())
    for examine_more in (
        data_problems,
        base_problems,
        memory_problems,
        engine_problems,
        teacher_problems,
        *((reach_problems,) if reach else ()),
    ):
        try:
            found += examine_more()
        except ParamsError:
            continue  # a section that this look needs does not hold, and is told of already
        except ModuleNotFoundError:
            continue  # what is not installed is told of already
    notes = [*source_notes(Path()), *filter(None, [stage_python_note()]), *budget_notes()]
    if json_:
        print(json.dumps({"problems": found, "notes": notes}, indent=2))
    else:
        for problem in found:
            print(f"problem: {problem}")
        for note in notes:
            print(f"note: {note}")
        if not found:
            print("\n".join([*memory_lines(), ""]), end="")
            asking = "llm2llm preview and llm2llm quote, then " if any(_endpoints()) else ""
            print(f"params, data and this machine hold; next: {asking}dvc repro")
    if found:
        raise typer.Exit(ParamsError.exit_code)


def data_problems() -> Iterator[str]:
    """Yield what is wrong with the raw files and with the draw of the seeds from them."""
    params = load_section(PARAMS, "subsample", SubsampleParams)
    task = Path(load_value(PARAMS, "task", str))
    fields = load_section(task, "fields", Fields)
    answer_format = load_section(task, "answer", AnswerFormat)
    rows = {}
    for name, may_be_empty in ((params.train, False), (params.test, False), (params.dev, True)):
        try:
            rows[name] = read_raw(Path(name), fields, answer_format, may_be_empty=may_be_empty)
        except (DataError, OSError) as failure:
            yield str(failure)
    if params.train in rows and params.test in rows:
        leaked = find_leaked([row.input for row in rows[params.train]], rows[params.test])
        try:
            subsample(rows[params.train], rows[params.test], leaked, params, random_seed=0)
        except DataError as failure:
            yield str(failure)


def base_problems() -> Iterator[str]:
    """Yield what is wrong with the base model's path."""
    base = load_section(PARAMS, "base_model", BaseModelParams)
    looks_local = base.model.startswith((".", "/", "~"))
    if looks_local and not Path(base.model).expanduser().is_dir():
        yield (
            f"{PARAMS}: `base_model.model`: found {base.model!r}, no such folder; expected"
            " `embedded`, a model folder or a hub id"
        )


def engine_problems() -> Iterator[str]:
    """Yield why the student could not be asked as params say, which shows after training only."""
    predict = load_section(PARAMS, "predict", MeasuringParams)
    train = load_section(PARAMS, "train_iter", TrainIterParams)
    try:
        choose_engine(predict, train.kind, "cpu")
    except Llm2llmError as failure:
        yield str(failure)


def teacher_problems() -> Iterator[str]:
    """Yield what teacher and judges lack on this machine; a key is looked for, never shown."""
    for section, endpoint in _endpoints():
        variable = endpoint.api_key_env
        if variable and not os.environ.get(variable, "").strip():
            yield f"{PARAMS}: {missing_key(variable, section)}"


def _endpoints() -> Iterator[tuple[str, OpenAIChatParams]]:
    """Yield the endpoints that a run asks, teacher's and judges', by their places in params."""
    leak_judge = load_section(PARAMS, "dedupe_against_test", DedupeParams).judging
    answer_judge = load_section(PARAMS, "predict", MeasuringParams).judge
    teaching = load_section(PARAMS, "teacher_batch", TeacherBatchParams)
    for params in (teaching, leak_judge, answer_judge):
        if params is None or params.backend in ("symbolic", "vllm") or params.replay:
            continue
        yield endpoint_of(params)


def reach_problems() -> Iterator[str]:
    """Yield what does not answer of the hub and the endpoints that a run will need."""
    base = load_section(PARAMS, "base_model", BaseModelParams)
    found = [hub_problem(base.model, base.revision, os.environ.get)]
    asked: set[tuple[str, str | None]] = set()
    for section, endpoint in _endpoints():
        # A teacher that judges too is asked once.
        if (place := (endpoint.base_url, endpoint.api_key_env)) not in asked:
            asked.add(place)
            found.append(endpoint_problem(section, endpoint, os.environ.get))
    yield from (f"{PARAMS}: {problem}" for problem in found if problem is not None)


def budget_notes() -> Iterator[str]:
    """Yield the limits of which earlier runs left nothing; null is no limit."""
    try:
        runtime = load_section(PARAMS, "runtime", RuntimeParams)
        paid = any(_endpoints())
    except ParamsError:
        return  # a section that does not hold is told of already
    if not paid:
        return
    try:
        with ledger_of(store(), make=False) as ledger:
            left = left_of(runtime, ledger)
    except (Llm2llmError, OSError) as failure:
        yield f"what is left of the budget is not known: {failure}"
        return
    for name in used_up(left):
        yield (
            f"nothing is left of `{name}`: a stage that has to pay stops there; raise it, unless"
            " the ledger has every answer that is still needed"
        )


def unwritable(root: Path) -> Iterator[str]:
    """Yield folders that a run must write to and cannot."""
    for name in ("data", ".llm2llm", ".dvc"):
        path = root / name
        nearest = path if path.exists() else root
        if not os.access(nearest, os.W_OK | os.X_OK):
            yield f"{nearest}: no permission to write; `chmod u+rwx {nearest}`"
