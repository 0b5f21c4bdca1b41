"""One training by transformers' Trainer, along a plan made beforehand."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import nullcontext
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
from llm2llm.student.linear import linear_by_onednn
from llm2llm.student.losses import curve, folded, updates_per_point
from llm2llm.student.pace import Progress
from llm2llm.student.processes.place import Place

# The loss that is told of is the mean of so many updates.
_TOLD_OF = 20

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
    on_progress: Callable[[Progress], None]
    place: Place


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training leaves behind besides weights: its loss curve, and what was seen on dev."""

    losses: list[dict[str, Any]]
    watch: Watch | None


def train(model: Any, run: Run) -> Trained:
    """Train the model in place, from the newest complete training state if there is one.

    With early stopping the model has the weights that were best. Raises StudentError when the
    loss is no number any more.
    """
    with importing():
        import torch
        from transformers import TrainingArguments

    params = run.params
    n_parts = params.batch_size // params.rows_at_a_time
    batches = [
        [run.rows[index] for index in part]
        for update in run.plan
        for part in split_update(update, n_parts)
    ]
    arguments = TrainingArguments(
        output_dir=str(run.folder),
        per_device_train_batch_size=1,  # one item of the data set is one micro-batch
        # Processes take the items in turn, so that those of one update go to it in all of them.
        gradient_accumulation_steps=n_parts // run.place.n,
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
        # Dropout differs between processes. numpy takes no more.
        seed=(run.random_seed + run.place.rank) % 2**32,
        # Else DDP regroups gradients after its first update, and so one after a resumption is
        # added up in another order.
        ddp_find_unused_parameters=True if run.place.n > 1 else None,
        remove_unused_columns=False,
        dataloader_pin_memory=run.device == "cuda",
        logging_strategy="steps",
        # Each, so that a curve's points do not depend on when states are kept.
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",  # the callback decides
        report_to="none",
        disable_tqdm=True,
        log_level="error",
    )
    if run.device == "cuda":
        # A process has one GPU; the Trainer would deal micro-batches out to all that it sees.
        arguments._n_gpu = 1
    watch = Watch(model, run.watched, run.collate, run.loss, run.place) if run.watched else None
    in_fp32_on_cpu = run.device == "cpu" and not run.bf16
    with (
        ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool,
        linear_by_onednn(model) if in_fp32_on_cpu else nullcontext(),
    ):
        trainer = _trainer_class(model, run, pool)(
            model=model,
            args=arguments,
            data_collator=run.collate,
            train_dataset=batches,
            compute_loss_func=run.loss,
            callbacks=[_callback(run, watch)],
        )
        check_shared(trainer, run)
        # Else DDP keeps each gradient twice.
        trainer.accelerator.ddp_handler.gradient_as_bucket_view = True
        _silence(trainer)
        newest = training_state.newest_complete(run.folder)
        if newest and watch:
            watch.read(newest)
        trainer.train(resume_from_checkpoint=str(newest) if newest else None)
    if watch:
        watch.use_best()
    _check_numbers(model)
    return Trained(curve(trainer.state.log_history, updates_per_point(len(run.plan))), watch)


def check_shared(trainer: Any, run: Run) -> None:
    """Refuse to share rows out where the loss would be another one then."""
    if run.place.n > 1 and not (run.loss or trainer.model_accepts_loss_kwargs):
        raise StudentError(
            f"`train_iter.processes`: found {run.place.n}, expected 1 for this base model: its loss"
            " is a mean over the rows of one process, not a share of the whole update's; set 1"
        )


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

    Autocast and gradient checkpointing keep state that two threads would share, and DDP takes
    gradients from a whole backward pass alone.
    """
    from transformers import Trainer

    if (
        run.device != "cpu"
        or run.params.threads > 1
        or run.bf16
        or run.params.gradient_checkpointing
        or run.place.n > 1
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

    every = updates_per_point(len(run.plan))

    class _Keeper(TrainerCallback):
        """Report progress, refuse a loss that is no number, and keep training states."""

        def __init__(self) -> None:
            self._n_new = self._n_new_tokens = 0
            self._latest: deque[float] = deque(maxlen=_TOLD_OF)

        def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            run.on_progress(Progress(state.global_step, state.max_steps, 0, 0))

        def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
            step, last = state.global_step, state.max_steps
            if watch and watch.is_due(step, last) and watch.look(step):
                # No state is kept, as a training that goes on from it would not stop.
                control.should_training_stop = True
            elif step % run.checkpoint_every_steps == 0 and step < last:
                # The loss is logged first, so no state with a broken one is kept.
                control.should_save = True

        def on_log(
            self, _args: Any, state: Any, _control: Any, logs: dict[str, float], **_: Any
        ) -> None:
            if "loss" not in logs:
                return  # the Trainer's summary
            step, last, loss = state.global_step, state.max_steps, logs["loss"]
            if not math.isfinite(loss):
                raise _no_number(f"a loss of {loss} by step {step} of {last}")
            if step % every == 0:
                state.log_history[:] = folded(state.log_history, every)
            self._latest.append(loss)
            self._n_new += 1
            self._n_new_tokens += sum(len(run.rows[i].input_ids) for i in run.plan[step - 1])
            told = math.fsum(self._latest) / len(self._latest)
            run.on_progress(Progress(step, last, self._n_new, self._n_new_tokens, told))

        def on_save(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            if watch and run.place.leads:
                watch.write(training_state.folder_of(run.folder, state.global_step))
            run.place.meet()  # each writes where its random generators stand
            if run.place.leads:
                training_state.complete(run.folder, state.global_step)

    return _Keeper()
