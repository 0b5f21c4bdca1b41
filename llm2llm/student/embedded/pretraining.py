"""Make the embedded base model: a tiny Llama, pretrained on the spot."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm2llm.seeding import derive
from llm2llm.student.embedded import corpus, words
from llm2llm.student.embedded.muon import Muon
from llm2llm.student.embedded.tokenizer import make_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

N_POSITIONS = 2048
_SEQUENCE = 160
_SHARDS = 2  # fixed, so that the sum of gradients does not depend on the number of threads
_SEQUENCES_PER_SHARD = 10
_MUON_RATE = 0.02
_ADAMW_RATE = 3e-3
_WARMUP_STEPS = 20


def make_embedded_model(
    folder: Path,
    *,
    random_seed: int,
    n_tokens: int,
    threads: int,
    on_progress: Callable[[int, int], None],
) -> None:
    """Pretrain the embedded student on about `n_tokens` and save it with its tokenizer.

    Equal seeds and tokens give equal bytes on one machine, whatever the number of threads: the
    two halves of each batch are always summed in the same order.
    """
    import torch

    tokenizer = make_tokenizer(words.every_word(), N_POSITIONS)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = new_model(tokenizer, derive(random_seed, "weights"))
        batches = packed_batches(tokenizer, derive(random_seed, "corpus") % 2**31)
        n_steps = max(1, n_tokens // (_SHARDS * _SEQUENCES_PER_SHARD * _SEQUENCE))
        _pretrain(model, batches, n_steps, threads, on_progress)
    finally:
        torch.set_num_threads(before)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def new_model(tokenizer: "PreTrainedTokenizerFast", random_seed: int) -> "LlamaForCausalLM":
    """Make the untrained model."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_seed)
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=128,
                intermediate_size=344,
                num_hidden_layers=4,
                num_attention_heads=4,
                num_key_value_heads=4,
                max_position_embeddings=N_POSITIONS,
                tie_word_embeddings=True,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )


def packed_batches(
    tokenizer: "PreTrainedTokenizerFast", random_seed: int
) -> Iterator["torch.Tensor"]:
    """Yield batches (shards, sequences, positions) of documents laid end to end."""
    import torch

    documents = corpus.documents(random_seed)
    shape = (_SHARDS, _SEQUENCES_PER_SHARD, _SEQUENCE)
    tokens: list[int] = []
    while True:
        while len(tokens) < math.prod(shape):
            for ids in tokenizer([next(documents) for _ in range(64)])["input_ids"]:
                tokens += [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
        yield torch.tensor(tokens[: math.prod(shape)]).view(shape)
        tokens = tokens[math.prod(shape) :]


def _pretrain(
    model: "LlamaForCausalLM",
    batches: Iterator["torch.Tensor"],
    n_steps: int,
    threads: int,
    on_progress: Callable[[int, int], None],
) -> None:
    import torch

    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    muon = Muon(hidden)
    adamw = torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    parameters = [*hidden, *others]

    def gradients(shard: "torch.Tensor") -> tuple["torch.Tensor", ...]:
        torch.set_num_threads(1)
        loss = model(input_ids=shard, labels=shard).loss
        return torch.autograd.grad(loss, parameters)

    with ThreadPoolExecutor(max(1, min(threads, _SHARDS))) as pool:
        for step in range(n_steps):
            shares = list(pool.map(gradients, next(batches)))
            mean = [sum(parts[1:], parts[0]) / _SHARDS for parts in zip(*shares, strict=True)]
            factor = _schedule(step, n_steps)
            muon.step(dict(zip(hidden, mean[: len(hidden)], strict=True)), _MUON_RATE * factor)
            for parameter, gradient in zip(others, mean[len(hidden) :], strict=True):
                parameter.grad = gradient
            torch.nn.utils.clip_grad_norm_(others, 1.0)
            _set_rate(adamw, _ADAMW_RATE * factor)
            adamw.step()
            on_progress(step + 1, n_steps)


def _schedule(step: int, n_steps: int) -> float:
    """Warm up, stay, and fall linearly over the last half."""
    return min(1.0, (step + 1) / _WARMUP_STEPS, max(0.02, 2 * (1 - step / n_steps)))


def _set_rate(optimizer: Any, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
