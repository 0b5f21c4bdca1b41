"""A student for a set: taken from the store where the same training was done before, else made."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.exceptions import StudentError
from llm2llm.files import link_or_copy, read_json, replacing_folder, write_json
from llm2llm.ids import Json, sha256_json
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.seeding import derive
from llm2llm.student.base import load_base, read_base
from llm2llm.student.batches import n_updates_for, plan_updates
from llm2llm.student.checkpoint import checkpoint_sha256
from llm2llm.student.compute import device_for, set_up, uses_bf16
from llm2llm.student.formatting import Encoded, Template, within
from llm2llm.student.saving import save_adapter, save_student
from llm2llm.student.trainer_run import Run, train
from llm2llm.student.versions import package_versions, sources_sha256
from llm2llm.tasks.sections import StudentFormat
from llm2llm.work import is_complete, mark_complete, unit_of_work

_SOURCES = (
    "prompts.py",
    "seeding.py",
    "student/base.py",
    "student/batches.py",
    "student/checkpoint.py",
    "student/compute.py",
    "student/formatting.py",
    "student/halves.py",
    "student/saving.py",
    "student/trainer_run.py",
    "student/training.py",
)


@dataclass(frozen=True, slots=True)
class Training:
    """All that decides a student. `examples` are inputs and targets, in order.

    `n_updates` null follows from the number of examples, batch size and epochs.
    """

    examples: Sequence[tuple[str, str]]
    base_folder: Path
    student_format: StudentFormat
    params: TrainIterParams
    random_seed: int
    n_updates: int | None


def train_student(
    training: Training,
    *,
    store: Path,
    checkpoint_every_steps: int,
    on_wait: Callable[[str], None],
    on_progress: Callable[[int, int], None],
    use: Callable[[Path], None],
) -> Path:
    """Give the folder with the student's files and manifest.json, under `store`.

    `use` gets it while the lock is held, so that an orphan of a killed run and the run that waits
    for it do not write the same files at once.

    A training that was killed goes on from its newest complete state. A finished one is taken
    as it is, and torch is not imported.
    """
    if not training.examples:
        raise StudentError("training: found no examples, expected one at least; check the set")
    facts = _facts(training)
    with unit_of_work(store, training_key(training), on_wait) as folder:
        student = folder / "student"
        if not (is_complete(student) and _is_whole(student)):
            states = folder / "states"
            states.mkdir(exist_ok=True)
            shutil.rmtree(student, ignore_errors=True)
            _make(training, facts, student, states, checkpoint_every_steps, on_progress)
            mark_complete(student)
            shutil.rmtree(states)
        use(student)
        return student


def training_key(training: Training) -> str:
    """Name a training by all that decides its result, without importing torch."""
    return sha256_json({"training": _facts(training), "code": sources_sha256(_SOURCES)})


def _is_whole(student: Path) -> bool:
    """Say whether the tensors are still those of the manifest: their files are links in caches."""
    manifest = read_json(student / "manifest.json")
    return bool(manifest["checkpoint_sha256"] == checkpoint_sha256(student))


def deliver(student: Path, target: Path) -> None:
    """Give a finished student's files a second name, outside the store."""
    with replacing_folder(target) as temporary:
        for path in sorted(student.iterdir()):
            if path.name != "complete":
                link_or_copy(path, temporary / path.name)


def summary(manifest: Mapping[str, Any]) -> str:
    """Say in one line what a manifest says of a student."""
    counts = manifest["counts"]
    too_long = counts["examples_too_long"]
    return (
        f"{counts['examples']} examples, {manifest['n_updates']} updates"
        + (f", {too_long} longer than {manifest['max_tokens']} tokens left out" if too_long else "")
        + f", checkpoint {manifest['checkpoint_sha256'][:12]}"
    )


def set_sha256(examples: Sequence[tuple[str, str]]) -> str:
    """Hash what a training sees of a set: inputs and targets in order, no lineage."""
    return sha256_json([list(example) for example in examples])


def _facts(training: Training) -> dict[str, Json]:
    """Everything that decides the student's bytes, as the manifest repeats it."""
    versions = package_versions()
    params = training.params.model_dump()
    if training.params.method == "full":
        del params["lora"]
    base = read_base(training.base_folder)
    return {
        "base": {"model": base.model, "revision": base.revision, "digest": base.digest},
        "set_sha256": set_sha256(training.examples),
        "format": training.student_format.model_dump(),
        "params": params,
        "random_seed": training.random_seed,
        "n_updates": _n_updates(training),
        "versions": {**versions},
        "threads": training.params.threads,
        "device": device_for(training.params.device, versions["torch"]),
    }


def _n_updates(training: Training) -> int:
    if training.n_updates is not None:
        return training.n_updates
    params = training.params
    return n_updates_for(len(training.examples), params.batch_size, params.epochs)


def _make(
    training: Training,
    facts: dict[str, Json],
    student: Path,
    states: Path,
    checkpoint_every_steps: int,
    on_progress: Callable[[int, int], None],
) -> None:
    params = training.params
    device = device_for(params.device, package_versions()["torch"])
    set_up(device, params.threads)
    bf16 = uses_bf16(params.precision, device)
    # Full training keeps its weights in fp32 and computes in bf16; LoRA's frozen base need not.
    model, tokenizer = load_base(training.base_folder, bf16=bf16 and params.method == "lora")
    rows, limit = _rows(training, model, tokenizer)
    random_seed = derive(training.random_seed, "train")
    plan = plan_updates(
        [len(row.input_ids) for row in rows],
        batch_size=params.batch_size,
        n_updates=_n_updates(training),
        length_grouped=params.length_grouped,
        random_seed=random_seed,
    )
    if params.method == "lora":
        model = _with_adapter(model, params, random_seed)
    train(
        model,
        Run(
            rows=rows,
            plan=plan,
            params=params,
            bf16=bf16,
            device=device,
            random_seed=random_seed,
            folder=states,
            checkpoint_every_steps=checkpoint_every_steps,
            on_progress=on_progress,
        ),
    )
    student.mkdir()
    if params.method == "lora":
        save_adapter(student, model, read_base(training.base_folder))
    else:
        save_student(student, model, tokenizer)
    counts: dict[str, Json] = {
        "examples": len(training.examples),
        "examples_too_long": len(training.examples) - len(rows),
        "tokens": sum(len(row.input_ids) for row in rows),
        "target_tokens": sum(len(row.input_ids) - row.n_prompt for row in rows),
    }
    manifest: dict[str, Json] = {
        **facts,
        "checkpoint_sha256": checkpoint_sha256(student),
        "counts": counts,
        "max_tokens": limit,
        "bf16": bf16,
    }
    write_json(student / "manifest.json", manifest)


def _rows(training: Training, model: Any, tokenizer: Any) -> tuple[list[Encoded], int]:
    """Encode the examples and leave out those longer than the limit, which is given too."""
    template = Template(training.student_format, tokenizer)
    inputs, targets = zip(*training.examples, strict=True)
    encoded = template.encode(inputs, targets)
    longest = max(len(row.input_ids) for row in encoded)
    context = getattr(model.config, "max_position_embeddings", None) or longest
    limit = min(training.params.max_tokens or longest, context)
    rows = within(encoded, limit)
    if not rows:
        raise StudentError(
            f"training: all {len(encoded)} examples are longer than {limit} tokens (the shortest"
            f" has {min(len(row.input_ids) for row in encoded)}); raise `train_iter.max_tokens`, or"
            " take a base model with a longer context"
        )
    return rows, limit


def _with_adapter(model: Any, params: TrainIterParams, random_seed: int) -> Any:
    import torch
    from peft import LoraConfig, get_peft_model

    lora = params.lora
    torch.manual_seed(random_seed)
    try:
        return get_peft_model(
            model,
            LoraConfig(
                task_type="CAUSAL_LM",
                r=lora.rank,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                target_modules=lora.target_modules,
            ),
        )
    except ValueError as failure:
        raise StudentError(
            f"`train_iter.lora.target_modules`: found {lora.target_modules!r}, which peft does not"
            f" take for this base model ({failure}); set `all-linear`, or modules that it has"
        ) from None
