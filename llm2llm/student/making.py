"""Make a student: load the base, encode the set, train, save, and describe what was done."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.files import write_json
from llm2llm.ids import Json
from llm2llm.seeding import derive
from llm2llm.student.adapters import (
    ready_for_quantized,
    with_earlier_adapter,
    with_new_adapter,
)
from llm2llm.student.base import read_base, weights_folder
from llm2llm.student.batches import dev_batches, plan_updates
from llm2llm.student.checkpoint import checkpoint_sha256
from llm2llm.student.classes import labels_of
from llm2llm.student.collating import causal_collator, class_collator, class_loss
from llm2llm.student.compute import Device, device_for, set_up_for, uses_bf16
from llm2llm.student.early_stopping import Watched
from llm2llm.student.formatting import Template
from llm2llm.student.memory import Shape, read_shape
from llm2llm.student.pace import Progress
from llm2llm.student.pretrained import context_of, load_base, new_classifier
from llm2llm.student.processes.place import ALONE, Place
from llm2llm.student.rows import counts, rows_of
from llm2llm.student.saving import save_adapter, save_student
from llm2llm.student.shortage import explained
from llm2llm.student.trainer_run import Run, train
from llm2llm.student.training_facts import Training, n_updates_of
from llm2llm.student.versions import package_versions


def make(
    training: Training,
    facts: Mapping[str, Json],
    student: Path,
    states: Path,
    checkpoint_every_steps: int,
    on_progress: Callable[[Progress], None],
    place: Place = ALONE,
) -> None:
    """Train the student and write its files and manifest.json into the folder `student`.

    Training states are kept in `states`, and the newest complete one there is gone on from.
    Of several processes, all of which call this, the one that leads writes.

    What torch and random generators are set to holds for the training only.
    """
    device = device_for(training.params.device, package_versions()["torch"])
    with set_up_for(device, training.params.threads):
        _make(training, facts, student, states, checkpoint_every_steps, on_progress, place, device)


def _make(
    training: Training,
    facts: Mapping[str, Json],
    student: Path,
    states: Path,
    checkpoint_every_steps: int,
    on_progress: Callable[[Progress], None],
    place: Place,
    device: Device,
) -> None:
    params = training.params
    bf16 = uses_bf16(params.precision, device)
    random_seed = derive(training.random_seed, "train")
    with explained(lambda: _shape(training), params, None, bf16=bf16, device=device):
        loaded = _load(training, bf16, random_seed)
    template = Template(training.student_format, loaded.tokenizer)
    context = context_of(loaded.model)
    used = rows_of(template, training.examples, params, training.answer_format, context)
    plan = plan_updates(
        [len(row.input_ids) for row in used.rows],
        batch_size=params.batch_size,
        n_updates=n_updates_of(training),
        length_grouped=params.length_grouped,
        random_seed=random_seed,
    )
    model = _adapted(training, loaded, random_seed) if params.method == "lora" else loaded.model
    classifies = params.kind == "classifier"
    watched = None
    if params.early_stopping is not None:
        dev = rows_of(template, training.dev, params, training.answer_format, context)
        watched = Watched(
            dev_batches(dev.rows, params.rows_at_a_time),
            every=math.ceil(n_updates_of(training) / params.epochs),
            patience=params.early_stopping.patience,
        )
    with explained(lambda: _shape(training), params, used.max_tokens, bf16=bf16, device=device):
        trained = train(
            model,
            Run(
                rows=used.rows,
                collate=class_collator(loaded.tokenizer.pad_token_id, context)
                if classifies
                else causal_collator(model),
                loss=class_loss if classifies else None,
                watched=watched,
                plan=plan,
                params=params,
                bf16=bf16,
                device=device,
                random_seed=random_seed,
                folder=states,
                checkpoint_every_steps=checkpoint_every_steps,
                on_progress=on_progress,
                place=place,
            ),
        )
    if not place.leads:
        return
    student.mkdir()
    if params.method == "lora":
        save_adapter(student, model, read_base(training.base_folder))
    else:
        save_student(student, model, loaded.tokenizer)
    manifest: dict[str, Json] = {
        **facts,
        "checkpoint_sha256": checkpoint_sha256(student),
        "counts": counts(used, params.kind),
        "max_tokens": used.max_tokens,
        "bf16": bf16,
        "losses": [*trained.losses],
    }
    if watch := trained.watch:
        manifest["early_stopping"] = {
            "best_update": watch.best_update(),
            "dev_losses": [[step, loss] for step, loss in watch.losses],
            "dev_examples_too_long": dev.n_too_long,
        }
    write_json(student / "manifest.json", manifest)


@dataclass(frozen=True, slots=True)
class _Loaded:
    model: Any
    tokenizer: Any
    new_parts: Sequence[str]


def _load(training: Training, bf16: bool, random_seed: int) -> _Loaded:
    """Load what the training starts from; the head of a classifier is drawn by the seed."""
    params = training.params
    # Full training keeps its weights in fp32 and computes in bf16; LoRA's frozen base need not.
    bf16 = bf16 and params.method == "lora"
    start = training.start if params.continuous and params.method == "full" else None
    if params.kind == "causal":
        model, tokenizer = load_base(
            training.base_folder, bf16=bf16, quantize=params.quantize, weights=start
        )
        return _Loaded(model, tokenizer, ())
    import torch

    torch.manual_seed(random_seed)
    return _Loaded(
        *new_classifier(
            training.base_folder,
            labels_of(training.answer_format),
            bf16=bf16,
            quantize=params.quantize,
            weights=start,
        )
    )


def _adapted(training: Training, loaded: _Loaded, random_seed: int) -> Any:
    params = training.params
    model = loaded.model
    if params.quantize:
        model = ready_for_quantized(model, params)
    if params.continuous and training.start is not None:
        return with_earlier_adapter(model, training.start)
    return with_new_adapter(model, params, random_seed, loaded.new_parts)


def _shape(training: Training) -> Shape | None:
    base = read_base(training.base_folder)
    return read_shape(weights_folder(training.base_folder, base))
