"""How much memory a training and a prediction take, from a model's files alone, without torch."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from llm2llm.exceptions import StudentError
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.student.checkpoint import tensor_shapes

GIB = 1 << 30
# Python with torch and transformers, or a CUDA context with its workspaces.
_OVERHEAD = {"cpu": GIB * 3 // 4, "cuda": GIB * 5 // 4}
# Per trained weight: gradient and Adam's two moments, in fp32.
_STATE_BYTES = 12
# 4-bit weights with their quantized scales.
_NF4_BYTES = 0.52
# What a layer keeps for its backward pass, per token, in hidden and in intermediate widths:
# inputs of projections and norms, queries, keys, values; gate, up, activated and their product.
_KEPT_HIDDEN, _KEPT_INTERMEDIATE = 10, 4
# Logits and their fp32 copy, softmax and gradient.
_LOGITS_BYTES = 14
# GPT-2 names its embeddings wte and wpe.
_EMBEDDING = re.compile(r"embed|\bw[tp]e\b")
# Limits in tokens that are tried where nothing else helps.
_SHORTER = (2048, 1024, 512, 256, 128)


@dataclass(frozen=True, slots=True)
class Shape:
    """What decides a model's memory; `n_linear` are the weights of projections inside layers.

    `linear_edges` sums inputs and outputs of all projections: a LoRA of rank r has r times so many
    weights.
    """

    n_parameters: int
    n_linear: int
    linear_edges: int
    hidden: int
    intermediate: int
    layers: int
    vocabulary: int
    kv_width: int
    context: int | None


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes by what takes them."""

    weights: int
    training: int
    activations: int
    overhead: int

    @property
    def total(self) -> int:
        """Add them up."""
        return self.weights + self.training + self.activations + self.overhead


def read_shape(folder: Path) -> Shape | None:
    """Read a model's shape from its configuration and headers; null for an unknown kind.

    Raises StudentError where a file is damaged.
    """
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as failure:
        raise StudentError(
            f"{folder / 'config.json'}: not JSON ({failure}); fetch the model again"
        ) from None
    config = config.get("text_config", config)

    def first(*names: str) -> int | None:
        return next((config[name] for name in names if config.get(name)), None)

    hidden = first("hidden_size", "n_embd", "d_model", "dim")
    layers = first("num_hidden_layers", "n_layer", "n_layers", "num_layers")
    vocabulary = first("vocab_size")
    if hidden is None or layers is None or vocabulary is None:
        return None
    heads = first("num_attention_heads", "n_head", "n_heads", "num_heads") or 1
    kv_heads = first("num_key_value_heads") or heads
    tensors = list(tensor_shapes(folder))
    projections = [
        shape
        for name, shape in tensors
        if len(shape) == 2 and vocabulary not in shape and not _EMBEDDING.search(name)
    ]
    return Shape(
        n_parameters=sum(math.prod(shape) for _, shape in tensors),
        n_linear=sum(math.prod(shape) for shape in projections),
        linear_edges=sum(sum(shape) for shape in projections),
        hidden=hidden,
        intermediate=first("intermediate_size", "n_inner", "d_ff", "hidden_dim") or 4 * hidden,
        layers=layers,
        vocabulary=vocabulary,
        kv_width=kv_heads * (first("head_dim") or hidden // heads),
        context=first("max_position_embeddings", "n_positions"),
    )


def training_need(
    shape: Shape, params: TrainIterParams, n_tokens: int, *, bf16: bool, device: str
) -> Need:
    """Estimate a training whose rows have up to `n_tokens` tokens; logits for all of them."""
    number = 2 if bf16 else 4
    if params.method == "full":
        weights, trained = 4 * shape.n_parameters, shape.n_parameters
    else:
        rest = shape.n_parameters - shape.n_linear
        weights = (
            int(_NF4_BYTES * shape.n_linear) + 2 * rest
            if params.quantize
            else number * shape.n_parameters
        )
        trained = params.lora.rank * shape.linear_edges
        weights += 4 * trained
    tokens = n_tokens * params.rows_at_a_time
    layer = tokens * number * (
        _KEPT_HIDDEN * shape.hidden + _KEPT_INTERMEDIATE * shape.intermediate
    )  # fmt: skip
    if params.gradient_checkpointing:
        activations = layer + shape.layers * tokens * number * shape.hidden
    else:
        activations = shape.layers * layer
    if params.kind == "causal":
        activations += tokens * shape.vocabulary * _LOGITS_BYTES
    return Need(weights, _STATE_BYTES * trained, activations, _OVERHEAD[device])


def prediction_need(
    shape: Shape, batch_size: int, n_tokens: int, *, bf16: bool, device: str
) -> Need:
    """Estimate a prediction of rows of up to `n_tokens` tokens, prompt and answer together."""
    number = 2 if bf16 else 4
    cache = 2 * shape.layers * shape.kv_width * number * batch_size * n_tokens
    logits = batch_size * shape.vocabulary * (number + 4)
    return Need(number * shape.n_parameters, 0, cache + logits, _OVERHEAD[device])


def knobs(params: TrainIterParams, device: str) -> Iterator[tuple[str, TrainIterParams]]:
    """Yield what takes less memory, each on top of those before, the least change first."""
    if params.rows_at_a_time > 1:
        params = params.model_copy(update={"micro_batch_size": 1})
        yield "`train_iter.micro_batch_size: 1`", params
    if not params.gradient_checkpointing:
        params = params.model_copy(update={"gradient_checkpointing": True})
        yield "`train_iter.gradient_checkpointing: true`", params
    if params.method == "full":
        params = params.model_copy(update={"method": "lora"})
        yield "`train_iter.method: lora`", params
    if params.quantize is None and device == "cuda":
        params = params.model_copy(update={"quantize": "nf4"})
        yield "`train_iter.quantize: nf4`", params


def advice(
    shape: Shape, params: TrainIterParams, n_tokens: int, *, bf16: bool, device: str, room: int
) -> str:
    """Say which knobs bring a training into `room` bytes, or that none does."""
    turned = []
    for knob, changed in knobs(params, device):
        turned.append(knob)
        params = changed
        need = training_need(shape, params, n_tokens, bf16=bf16, device=device)
        if need.total <= room:
            return f"set {' and '.join(turned)} (about {gib(need.total)})"
    for limit in _SHORTER:
        need = training_need(shape, params, limit, bf16=bf16, device=device)
        if limit < n_tokens and need.total <= room:
            turned.append(f"`train_iter.max_tokens: {limit}`")
            return f"set {' and '.join(turned)} (about {gib(need.total)}; longer rows are left out)"
    return "take a smaller base model, or a larger machine"


def gib(n_bytes: int) -> str:
    """Write bytes in GiB, two digits."""
    return f"{n_bytes / GIB:.2g} GiB" if n_bytes < 10 * GIB else f"{n_bytes / GIB:.0f} GiB"
