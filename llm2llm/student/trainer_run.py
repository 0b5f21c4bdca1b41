"""One training by transformers' Trainer, along a plan made beforehand."""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.exceptions import StudentError
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.student import training_state
from llm2llm.student.batches import split_update
from llm2llm.student.collating import Collate
from llm2llm.student.compute import importing
from llm2llm.student.early_stopping import Watch, Watched
from llm2llm.student.halves import Halves

# The loss is looked at this often, and before every training state.
_LOG_EVERY_STEPS = 20

_SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}


@dataclass(frozen=True, slots=True)
class Run:
    """One training: `plan` lists the rows of every update; states are kept in `folder`.

    `collate` makes tensors of a micro-batch's rows; `loss` null takes the model's own. `watched`
    null trains to the end of the plan.
    """

    rows: Sequence[Any]
    collate: Collate
    loss: Callable[..., Any] | None
    watched: Watched | None
    plan: Sequence[Sequence[int]]
    params: TrainIterParams
    bf16: bool
    device: str
    random_seed: int
    folder: Path
    checkpoint_every_steps: int
    on_progress: Callable[[int, int], None]


def train(model: Any, run: Run) -> Watch | None:
    """Train the model in place, from the newest complete training state if there is one.

    With early stopping the model has the weights that were best, and what was seen is given.
    Raises StudentError when the loss is no number any more.
    """
    with importing():
        import torch
        from transformers import TrainingArguments

    params = run.params
    n_parts = params.batch_size // (params.micro_batch_size or params.batch_size)
    batches = [
        [run.rows[index] for index in part]
        for update in run.plan
        for part in split_update(update, n_parts)
    ]
    arguments = TrainingArguments(
        output_dir=str(run.folder),
        per_device_train_batch_size=1,  # one item of the data set is one micro-batch
        gradient_accumulation_steps=n_parts,
        num_train_epochs=1,  # the plan holds all epochs
        train_sampling_strategy="sequential",
        learning_rate=params.learning_rate,
        lr_scheduler_type=_SCHEDULES[params.schedule],
        warmup_steps=math.ceil(params.warmup_share * len(run.plan)),
        weight_decay=params.weight_decay,
        adam_beta2=params.adam_beta2,
        max_grad_norm=params.max_grad_norm or 0.0,
        optim="adamw_torch_fused",
        bf16=run.bf16,
        gradient_checkpointing=params.gradient_checkpointing,
        use_cpu=run.device == "cpu",
        seed=run.random_seed % 2**32,  # numpy takes no more
        remove_unused_columns=False,
        dataloader_pin_memory=run.device == "cuda",
        logging_strategy="steps",
        logging_steps=_LOG_EVERY_STEPS,
        logging_nan_inf_filter=False,
        save_strategy="no",  # the callback decides
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )
    watch = Watch(model, run.watched, run.collate, run.loss) if run.watched else None
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        trainer = _trainer_class(model, run, pool)(
            model=model,
            args=arguments,
            data_collator=run.collate,
            train_dataset=batches,
            compute_loss_func=run.loss,
            callbacks=[_callback(run, watch)],
        )
        _silence(trainer)
        newest = training_state.newest_complete(run.folder)
        if newest and watch:
            watch.read(newest)
        trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    if watch:
        watch.use_best()
    _check_numbers(model)
    return watch


def _check_numbers(model: Any) -> None:
    """Refuse weights that the last update broke, which no loss has told of."""
    import torch

    for name, tensor in model.named_parameters():
        if tensor.requires_grad and not bool(torch.isfinite(tensor).all()):
            raise _no_number(f"weights in {name} that are no numbers")


def _no_number(found: str) -> StudentError:
    return StudentError(
        f"training: found {found}, expected a number; lower `train_iter.learning_rate`, or bound"
        " `train_iter.max_grad_norm`"
    )


def _trainer_class(model: Any, run: Run, pool: Executor) -> Any:
    """Take the Trainer, or one that computes a micro-batch in halves, for one thread in fp32.

    Autocast and gradient checkpointing keep state that two threads would share.
    """
    from transformers import Trainer

    if (
        run.device != "cpu"
        or run.params.threads > 1
        or run.bf16
        or run.params.gradient_checkpointing
    ):
        return Trainer
    halves = Halves(model, pool)

    class _InHalves(Trainer):
        def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
            if num_items_in_batch is None or not (run.loss or self.model_accepts_loss_kwargs):
                # The loss is a mean over what the model is given, not a share of a sum.
                return super().training_step(model, inputs, num_items_in_batch)
            model.train()
            return halves.backward(
                inputs,
                lambda half: self.compute_loss(model, half, num_items_in_batch=num_items_in_batch),
            )

    return _InHalves


def _silence(trainer: Any) -> None:
    from transformers import PrinterCallback

    trainer.remove_callback(PrinterCallback)


def _callback(run: Run, watch: Watch | None) -> Any:
    from transformers import TrainerCallback

    class _Keeper(TrainerCallback):
        """Report progress, refuse a loss that is no number, and keep training states."""

        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
            step, last = state.global_step, state.max_steps
            run.on_progress(step, last)
            if watch and watch.is_due(step, last) and watch.look(step):
                # No state is kept, as a training that goes on from it would not stop.
                control.should_training_stop = True
            elif step % run.checkpoint_every_steps == 0 and step < last:
                # Logged first, so that no state with a broken loss is kept.
                control.should_log = control.should_save = True

        def on_log(
            self, _args: Any, state: Any, _control: Any, logs: dict[str, float], **_: Any
        ) -> None:
            # The last line has the mean over all updates, those since the line before too.
            loss = logs.get("loss", logs.get("train_loss", 0.0))
            if not math.isfinite(loss):
                raise _no_number(
                    f"a loss of {loss} by step {state.global_step} of {state.max_steps}"
                )

        def on_save(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            if watch:
                watch.write(training_state.folder_of(run.folder, state.global_step))
            training_state.complete(run.folder, state.global_step)

    return _Keeper()
