"""A student's answers: taken from the store where they were given before, else generated."""

import math
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from llm2llm.exceptions import StudentError
from llm2llm.files import as_json, read_json, read_records, write_json, write_records
from llm2llm.ids import sha256_json
from llm2llm.params.predict import PredictParams
from llm2llm.student.compute import device_for, set_up, uses_bf16
from llm2llm.student.formatting import Template
from llm2llm.student.generating import Generation, batches_by_length, generate_batch
from llm2llm.student.loading import load_student
from llm2llm.student.versions import package_versions, sources_sha256
from llm2llm.tasks.sections import StudentFormat
from llm2llm.work import is_complete, mark_complete, unit_of_work

# Longer than any seed's target, as a wrong answer may ramble and still end in a number.
_ROOM = 1.5

_SOURCES = (
    "arithmetic.py",
    "prompts.py",
    "student/base.py",
    "student/calculator.py",
    "student/compute.py",
    "student/formatting.py",
    "student/generating.py",
    "student/loading.py",
    "student/prediction.py",
)


@dataclass(frozen=True, slots=True)
class Asking:
    """All that decides the answers to `inputs`.

    `targets` are those of the seeds: the longest of them sets the token limit if params do not.
    """

    inputs: Sequence[str]
    targets: Sequence[str]
    student: Path
    base_folder: Path
    student_format: StudentFormat
    params: PredictParams


def answers(
    asking: Asking,
    *,
    store: Path,
    on_wait: Callable[[str], None],
    on_progress: Callable[[int, int], None],
) -> list[Generation]:
    """Give the student's answers in the order of the inputs.

    Batches that a killed process finished are kept. Answers that were all given before are taken
    as they are, and torch is not imported.
    """
    with unit_of_work(store, asking_key(asking), on_wait) as folder:
        done = folder / "answers"
        if not is_complete(done):
            batches = folder / "batches"
            generations = _generate(asking, batches, on_progress)
            write_records(done / "generations.parquet", Generation, generations)
            mark_complete(done)
            shutil.rmtree(batches, ignore_errors=True)
        return read_records(done / "generations.parquet", Generation)


def asking_key(asking: Asking) -> str:
    """Name the answers by all that decides them, without importing torch."""
    versions = package_versions()
    manifest = read_json(asking.student / "manifest.json")
    return sha256_json(
        {
            "inputs": list(asking.inputs),
            "targets": list(asking.targets),
            "checkpoint": manifest["checkpoint_sha256"],
            "base": manifest["base"]["digest"],
            "format": asking.student_format.model_dump(),
            "params": asking.params.model_dump(),
            "versions": {**versions},
            "device": device_for(asking.params.device, versions["torch"]),
            "code": sources_sha256(_SOURCES),
        }
    )


def _generate(
    asking: Asking, folder: Path, on_progress: Callable[[int, int], None]
) -> list[Generation]:
    if not asking.inputs:
        return []
    params = asking.params
    device = device_for(params.device, package_versions()["torch"])
    set_up(device, params.threads)
    model, tokenizer = load_student(
        asking.student,
        asking.base_folder,
        bf16=uses_bf16(params.precision, device),
        device=device,
    )
    template = Template(asking.student_format, tokenizer)
    prompts = template.encode_prompts(asking.inputs)
    limit = params.max_new_tokens or math.ceil(
        _ROOM * max(template.count_target_tokens(asking.targets), default=1)
    )
    room = _room(prompts, model)
    answered: dict[int, Generation] = {}
    batches = batches_by_length([len(p) for p in prompts], params.batch_size)

    def answer(number: int) -> list[Generation]:
        # A batch is answered as a whole or not at all: in bf16 its rows depend on each other.
        path = folder / f"{number:06}.json"
        if path.exists():
            return [Generation(**entry) for entry in read_json(path)]
        return generate_batch(
            model,
            tokenizer,
            [prompts[index] for index in batches[number]],
            max_new_tokens=min(limit, room) if room is not None else limit,
            calculator=params.calculator,
        )

    pool = _threads(device, params.threads)
    try:
        for number, generations in enumerate(pool.map(answer, range(len(batches)))):
            path = folder / f"{number:06}.json"
            if not path.exists():
                write_json(path, [as_json(generation) for generation in generations])
            answered.update(zip(batches[number], generations, strict=True))
            on_progress(len(answered), len(prompts))
    finally:
        pool.shutdown(cancel_futures=True)
    return [answered[index] for index in range(len(prompts))]


def _threads(device: str, threads: int) -> ThreadPoolExecutor:
    """Answer two batches at a time on a CPU at one thread each; no byte depends on it."""
    import torch

    at_a_time = 2 if device == "cpu" and threads == 1 else 1
    return ThreadPoolExecutor(at_a_time, initializer=torch.set_num_threads, initargs=(threads,))


def _room(prompts: Sequence[Sequence[int]], model: object) -> int | None:
    """Count the tokens that the model's context leaves beside the longest prompt."""
    context = getattr(getattr(model, "config", None), "max_position_embeddings", None)
    longest = max(len(prompt) for prompt in prompts)
    if context is None:
        return None
    if longest >= context:
        raise StudentError(
            f"predict: the longest prompt has {longest} tokens, which leaves no room for an answer"
            f" in the base model's context of {context}; take a base model with a longer one, or"
            " remove that row"
        )
    return int(context) - longest
