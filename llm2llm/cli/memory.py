"""What training and prediction take of the card's or the machine's memory, before any work."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from llm2llm.exceptions import DataError, MachineError, StudentError
from llm2llm.params.base_model import BaseModelParams
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.measuring import MeasuringParams
from llm2llm.params.subsample import SubsampleParams
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.raw import read_raw
from llm2llm.stage import PARAMS
from llm2llm.student.base import EMBEDDED, local_folder
from llm2llm.student.compute import device_for, too_many_processes
from llm2llm.student.memory import Shape, advice, gib, prediction_need, read_shape, training_need
from llm2llm.student.versions import package_versions
from llm2llm.tasks.sections import AnswerFormat, Fields, StudentFormat

# English text in subword tokenizers has about four characters a token; code and numbers fewer.
_CHARS_PER_TOKEN = 3
_CGROUP = Path("/sys/fs/cgroup/memory.max")
# Torch's allocators leave some of the memory unused, and a machine runs more than this.
_USABLE = 0.92


def memory_problems() -> Iterator[str]:
    """Yield what would not fit, with the knob that helps; see `memory_lines` for what would."""
    yield from _processes_without_gpu()
    yield from _look()[1]


def memory_lines() -> list[str]:
    """Say what training and prediction are expected to take; empty for a model not fetched yet."""
    return _look()[0]


def _look() -> tuple[list[str], list[str]]:
    base = load_section(PARAMS, "base_model", BaseModelParams)
    train = load_section(PARAMS, "train_iter", TrainIterParams)
    predict = load_section(PARAMS, "predict", MeasuringParams)
    try:
        shape = _shape(base)
        device = device_for(train.device, package_versions()["torch"])
    except (MachineError, StudentError):
        return [], []  # told of by other looks, or by the stage itself
    n_chars = _longest_row()
    if shape is None or n_chars is None:
        return [], []
    n_tokens = n_chars // _CHARS_PER_TOKEN + 1
    if train.max_tokens or shape.context:
        n_tokens = min(n_tokens, train.max_tokens or n_tokens, shape.context or n_tokens)
    where, room = _room(device)
    usable = int(_USABLE * room)
    bf16 = train.precision == "bf16" or (train.precision == "auto" and device == "cuda")
    training = training_need(shape, train, n_tokens, bf16=bf16, device=device).total
    # Processes on a CPU share the machine's memory; on GPUs each has a card.
    n_sharing = train.processes if device == "cpu" else 1
    each = f" in each of {train.processes} processes" if train.processes > 1 else ""
    answering = prediction_need(
        shape, predict.batch_size, 2 * n_tokens, bf16=bf16, device=device
    ).total
    found = []
    if training * n_sharing > usable:
        helps = advice(shape, train, n_tokens, bf16=bf16, device=device, room=usable // n_sharing)
        found.append(
            f"memory: training on rows of about {n_tokens} tokens takes about {gib(training)}"
            f"{each}, found {gib(room)} on {where}; {helps}"
        )
    if answering > usable:
        found.append(
            f"memory: prediction of {predict.batch_size} rows at a time takes about"
            f" {gib(answering)}, found {gib(room)} on {where}; lower `predict.batch_size`"
        )
    told = [
        f"memory: about {gib(training)} for training{each} and {gib(answering)} for prediction of"
        f" {gib(room)} on {where}, for rows of about {n_tokens} tokens"
    ]
    return told, found


def _processes_without_gpu() -> Iterator[str]:
    train = load_section(PARAMS, "train_iter", TrainIterParams)
    try:
        device = device_for(train.device, package_versions()["torch"])
    except MachineError:
        return  # told of by the stage itself
    if problem := too_many_processes(train.processes, device):
        yield f"{PARAMS}: {problem}"


def _shape(base: BaseModelParams) -> Shape | None:
    if base.model == EMBEDDED:
        folder: Path | None = Path("data/base/model")
    else:
        folder = local_folder(base.model, base.revision)
    return read_shape(folder) if folder is not None and folder.is_dir() else None


def _longest_row() -> int | None:
    """Count the characters of the longest train row with its prompt; null where none is read."""
    params = load_section(PARAMS, "subsample", SubsampleParams)
    task = Path(load_value(PARAMS, "task", str))
    prompt = load_section(task, "student", StudentFormat).prompt
    fields, answer = (
        load_section(task, "fields", Fields),
        load_section(task, "answer", AnswerFormat),
    )
    try:
        rows = read_raw(Path(params.train), fields, answer)
    except (DataError, OSError):
        return None  # told of by the look at the data
    return len(prompt) + max(len(row.input) + len(row.target) for row in rows)


def _room(device: str) -> tuple[str, int]:
    """Name the card or the machine, with its memory in bytes."""
    card = _card() if device == "cuda" else None
    if card is not None:
        return card
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _CGROUP.read_text().strip() if _CGROUP.exists() else ""
    return "this machine", min(machine, int(limit)) if limit.isdigit() else machine


def _card() -> tuple[str, int] | None:
    """Ask the NVIDIA driver for the first card; null where its tool is not there."""
    if shutil.which("nvidia-smi") is None:
        return None
    done = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"],
        capture_output=True,
        text=True,
        check=False,
    )
    name, _, mebibytes = done.stdout.split("\n")[0].rpartition(",")
    return (name, int(mebibytes) << 20) if mebibytes.strip().isdigit() else None
