"""A student's answers: taken from the store where they were given before, else generated."""

import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llm2llm.exceptions import StudentError
from llm2llm.files import as_json, read_json, read_records, write_json, write_records
from llm2llm.ids import sha256_json
from llm2llm.params.predict import PredictParams
from llm2llm.seeding import derive
from llm2llm.student.compute import device_for
from llm2llm.student.engine import Engine, Question, choose_engine, vllm_version
from llm2llm.student.generating import Generation
from llm2llm.student.loading import student_kind
from llm2llm.student.pace import Progress
from llm2llm.student.versions import package_versions, sources_sha256
from llm2llm.tasks.sections import StudentFormat
from llm2llm.work import is_complete, mark_complete, unit_of_work

# Longer than any seed's target, as a wrong answer may ramble and still end in a number.
_ROOM = 1.5

_SOURCES = (
    "arithmetic.py",
    "prompts.py",
    "seeding.py",
    "student/base.py",
    "student/calculator.py",
    "student/compute.py",
    "student/drawing.py",
    "student/engine.py",
    "student/formatting.py",
    "student/generating.py",
    "student/loading.py",
    "student/prediction.py",
    "student/pretrained.py",
)
_ENGINE_SOURCES = {
    "transformers": ("student/shedding.py", "student/transformers_engine.py"),
    "classifier": ("student/classifier_engine.py",),
    "vllm": ("student/vllm_calculator.py", "student/vllm_engine.py"),
}


@dataclass(frozen=True, slots=True)
class Asking:
    """All that decides the answers to `inputs`.

    `targets` are those of the seeds: the longest of them sets the token limit if params do not.
    `random_seed` decides what is drawn, and nothing else.
    """

    inputs: Sequence[str]
    targets: Sequence[str]
    student: Path
    base_folder: Path
    student_format: StudentFormat
    params: PredictParams
    random_seed: int

    @property
    def n_draws(self) -> int:
        """Count the answers drawn for each input, besides the likeliest one."""
        return self.params.samples if self.params.samples > 1 else 0


@dataclass(frozen=True, slots=True)
class Answered:
    """For each input its likeliest answer, and its draws, both in input order."""

    greedy: list[Generation]
    drawn: list[list[Generation]]


def answers(
    asking: Asking,
    *,
    store: Path,
    set_default: Callable[[str, str], object],
    on_wait: Callable[[str], None],
    on_progress: Callable[[Progress], None],
) -> Answered:
    """Give the student's answers in the order of the inputs.

    Groups that a killed process finished are kept. Answers that were all given before are taken
    as they are, and torch is not imported. `set_default` sets an environment variable of vLLM's
    that is not set.
    """
    with unit_of_work(store, asking_key(asking), on_wait) as folder:
        done = folder / "answers"
        if not is_complete(done):
            groups = folder / "batches"
            generations = _generate(asking, groups, set_default, on_progress)
            write_records(done / "generations.parquet", Generation, generations)
            mark_complete(done)
            shutil.rmtree(groups, ignore_errors=True)
        flat = read_records(done / "generations.parquet", Generation)
    n = len(asking.inputs)
    return Answered(flat[:n], [flat[n + index :: n] for index in range(n)])


def asking_key(asking: Asking) -> str:
    """Name the answers by all that decides them, without importing torch."""
    versions = package_versions()
    manifest = read_json(asking.student / "manifest.json")
    device = device_for(asking.params.device, versions["torch"])
    engine = choose_engine(asking.params, student_kind(asking.student), device)
    return sha256_json(
        {
            "inputs": list(asking.inputs),
            "targets": list(asking.targets),
            "checkpoint": manifest["checkpoint_sha256"],
            "labels": manifest.get("labels"),
            "base": manifest["base"]["digest"],
            "format": asking.student_format.model_dump(),
            "params": asking.params.model_dump(),
            "random_seed": asking.random_seed if asking.n_draws else None,
            "engine": engine,
            "vllm": vllm_version() if engine == "vllm" else None,
            "versions": {**versions},
            "device": device,
            "code": sources_sha256(_SOURCES + _ENGINE_SOURCES[engine]),
        }
    )


def open_engine(
    student: Path,
    base_folder: Path,
    student_format: StudentFormat,
    params: PredictParams,
    *,
    set_default: Callable[[str, str], object],
) -> Engine:
    """Load a student into the engine that params choose."""
    device = device_for(params.device, package_versions()["torch"])
    chosen = choose_engine(params, student_kind(student), device)
    if chosen == "vllm":
        from llm2llm.student.vllm_engine import VllmEngine

        return VllmEngine(
            student, base_folder, student_format, params, device, set_default=set_default
        )
    if chosen == "classifier":
        from llm2llm.student.classifier_engine import ClassifierEngine

        return ClassifierEngine(student, base_folder, student_format, params, device)
    from llm2llm.student.transformers_engine import TransformersEngine

    return TransformersEngine(student, base_folder, student_format, params, device)


class CountsTokens(Protocol):
    """What knows a student's tokenizer: an engine, or the template alone."""

    def count_target_tokens(self, targets: Sequence[str]) -> list[int]:
        """Count the tokens of targets, the end token included."""


def answer_limit(counting: CountsTokens, params: PredictParams, targets: Sequence[str]) -> int:
    """Decide how many tokens an answer may have, where the context leaves them."""
    return params.max_new_tokens or math.ceil(
        _ROOM * max(counting.count_target_tokens(targets), default=1)
    )


def within_context(engine: Engine, prompts: Sequence[Sequence[int]], limit: int) -> int:
    """Lower a limit to what the longest prompt leaves; raises StudentError where nothing is."""
    if engine.context is None:
        return limit
    longest = max(len(prompt) for prompt in prompts)
    if longest >= engine.context:
        raise StudentError(
            f"predict: the longest prompt has {longest} tokens, which leaves no room for an answer"
            f" in the base model's context of {engine.context}; take a base model with a longer"
            " one, or remove that row"
        )
    return min(limit, engine.context - longest)


def _generate(
    asking: Asking,
    folder: Path,
    set_default: Callable[[str, str], object],
    on_progress: Callable[[Progress], None],
) -> list[Generation]:
    """Answer all inputs, then draw for all of them, then again, as often as is asked."""
    if not asking.inputs:
        return []
    engine = open_engine(
        asking.student,
        asking.base_folder,
        asking.student_format,
        asking.params,
        set_default=set_default,
    )
    prompts = engine.encode(asking.inputs)
    limit = within_context(engine, prompts, answer_limit(engine, asking.params, asking.targets))
    n = len(prompts)
    questions = [Question(prompt, None) for prompt in prompts] + [
        Question(prompt, derive(asking.random_seed, "draw", text, number))
        for number in range(asking.n_draws)
        for prompt, text in zip(prompts, asking.inputs, strict=True)
    ]
    # Draws are grouped apart, so that asking for them changes no group of the others.
    groups = engine.groups([len(prompt) for prompt in prompts])
    if asking.n_draws:
        lengths = [len(question.prompt) for question in questions[n:]]
        groups += [[n + index for index in group] for group in engine.groups(lengths)]

    def answer(number: int) -> list[Generation]:
        # A group is answered as a whole or not at all: in bf16 its rows depend on each other.
        path = folder / f"{number:06}.json"
        if path.exists():
            return [Generation(**entry) for entry in read_json(path)]
        return engine.answer([questions[index] for index in groups[number]], limit)

    answered: dict[int, Generation] = {}
    n_new = n_new_tokens = 0
    on_progress(Progress(0, len(questions), 0, 0))
    for number, generations in enumerate(
        _at_a_time(engine.at_a_time, asking.params.threads, answer, len(groups))
    ):
        path = folder / f"{number:06}.json"
        if not path.exists():
            write_json(path, [as_json(generation) for generation in generations])
            n_new += len(generations)
            n_new_tokens += sum(generation.n_tokens for generation in generations)
        answered.update(zip(groups[number], generations, strict=True))
        on_progress(Progress(len(answered), len(questions), n_new, n_new_tokens))
    return [answered[index] for index in range(len(questions))]


def _at_a_time(
    n_at_a_time: int, threads: int, answer: Callable[[int], list[Generation]], n_groups: int
) -> Iterator[list[Generation]]:
    """Answer groups in order, several at the same time where the engine takes that."""
    if n_at_a_time == 1:
        yield from map(answer, range(n_groups))
        return
    import torch

    pool = ThreadPoolExecutor(n_at_a_time, initializer=torch.set_num_threads, initargs=(threads,))
    try:
        yield from pool.map(answer, range(n_groups))
    finally:
        pool.shutdown(cancel_futures=True)
