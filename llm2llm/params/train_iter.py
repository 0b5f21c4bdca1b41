"""Section `train_iter`: how each student is trained, the control too."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from llm2llm.params.section import Section


class LoraParams(Section):
    """Low-rank adapters; `target_modules` is `all-linear` or names of modules."""

    rank: Annotated[int, Field(ge=1)]
    alpha: Annotated[float, Field(gt=0)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    target_modules: Literal["all-linear"] | Annotated[list[str], Field(min_length=1)]


class EarlyStoppingParams(Section):
    """Stop when the loss on the dev rows has not fallen for `patience` epochs; keep the best."""

    patience: Annotated[int, Field(ge=1)]


class TrainIterParams(Section):
    """`batch_size` rows make one update; a device takes `micro_batch_size` of them at a time.

    They are shared out over `processes`, each of which has a device of its own.
    `kind` classifier trains an encoder with a head over the task's labels. `lora` is ignored by
    `method: full`; `quantize` is for LoRA on a GPU. `continuous` starts from the student before.
    `max_tokens` null takes the longest row, at most the model's context; longer rows are left out
    and counted.
    """

    kind: Literal["causal", "classifier"]
    continuous: bool
    method: Literal["full", "lora"]
    lora: LoraParams
    quantize: Literal["nf4"] | None
    epochs: Annotated[int, Field(ge=1)]
    learning_rate: Annotated[float, Field(gt=0)]
    schedule: Literal["linear", "cosine", "constant"]
    warmup_share: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Annotated[float, Field(ge=0)]
    adam_beta2: Annotated[float, Field(gt=0, lt=1)]
    max_grad_norm: Annotated[float, Field(gt=0)] | None
    early_stopping: EarlyStoppingParams | None
    batch_size: Annotated[int, Field(ge=1)]
    micro_batch_size: Annotated[int, Field(ge=1)] | None
    length_grouped: bool
    max_tokens: Annotated[int, Field(ge=2)] | None
    precision: Literal["auto", "fp32", "bf16"]
    gradient_checkpointing: bool
    processes: Annotated[int, Field(ge=1)]
    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1)]

    @property
    def rows_at_a_time(self) -> int:
        """Count the rows of a full micro-batch, which one device takes."""
        return self.micro_batch_size or self.batch_size // self.processes

    @model_validator(mode="after")
    def _micro_batches_fit(self) -> "TrainIterParams":
        shared = self.processes * (self.micro_batch_size or 1)
        if self.batch_size % shared:
            factors = ["processes"] if self.processes > 1 else []
            factors += ["micro_batch_size"] if self.micro_batch_size is not None else []
            raise ValueError(
                f"batch_size is a multiple of {' times '.join(factors)}, found {self.batch_size}"
                f" for {shared}"
            )
        return self

    @model_validator(mode="after")
    def _quantized_is_adapted(self) -> "TrainIterParams":
        if self.quantize is not None and self.method != "lora":
            raise ValueError("quantize: null, or method: lora, as quantized weights are frozen")
        return self
