"""Make the embedded base model: a tiny Llama, pretrained on the spot."""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm2llm.seeding import derive
from llm2llm.student.embedded import corpus, words
from llm2llm.student.embedded.muon import Muon
from llm2llm.student.embedded.products import fast_products
from llm2llm.student.embedded.tokenizer import make_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

N_POSITIONS = 2048
_IGNORED = -100  # the label that transformers' loss leaves out
_SEQUENCE = 160
_SHARDS = 2  # fixed, so that the sum of gradients does not depend on the number of threads
_SEQUENCES_PER_SHARD = 5
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
    """Yield batches (shards, 2, sequences, positions): tokens and labels, documents end to end.

    Labels leave out a problem's question, whose numbers and names are drawn, and the results
    of calculations, which a calculator fills in.
    """
    import torch

    documents = corpus.documents(random_seed)
    answer, equals, close = (_token(tokenizer, text) for text in (corpus.ANSWER, "=", ">>"))
    shape = (_SHARDS, _SEQUENCES_PER_SHARD, _SEQUENCE)
    tokens: list[int] = []
    labels: list[int] = []
    while True:
        while len(tokens) < math.prod(shape):
            for ids in tokenizer([next(documents) for _ in range(64)])["input_ids"]:
                document = [tokenizer.bos_token_id, *ids, tokenizer.eos_token_id]
                tokens += document
                labels += _labels(document, answer, equals, close)
        pair = [torch.tensor(ids[: math.prod(shape)]).view(shape) for ids in (tokens, labels)]
        yield torch.stack(pair, dim=1)
        tokens, labels = tokens[math.prod(shape) :], labels[math.prod(shape) :]


def _labels(document: list[int], answer: int, equals: int, close: int) -> list[int]:
    """Leave out what is not to be learned: a problem's question, and results of calculations."""
    start = document.index(answer) + 1 if answer in document else 0
    labels = [_IGNORED] * start + document[start:]
    inside = False
    for i, token in enumerate(document):
        inside = inside and token != close
        if inside:
            labels[i] = _IGNORED
        inside = inside or token == equals
    return labels


def _token(tokenizer: "PreTrainedTokenizerFast", text: str) -> int:
    (token,) = tokenizer(text)["input_ids"]
    return int(token)


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

    # torch's fused attention takes oneDNN's products too, in blocks too small for it.
    model.set_attn_implementation("eager")

    def gradients(shard: "torch.Tensor") -> tuple["torch.Tensor", ...]:
        torch.set_num_threads(1)
        found: tuple[torch.Tensor, ...] = torch.autograd.grad(_loss(model, *shard), parameters)
        return found

    with fast_products(), ThreadPoolExecutor(max(1, min(threads, _SHARDS))) as pool:
        batch = next(batches)
        for step in range(n_steps):
            shares = pool.map(gradients, batch)
            batch = next(batches)  # made while the threads compute
            mean = [sum(parts[1:], parts[0]) / _SHARDS for parts in zip(*shares, strict=True)]
            factor = _schedule(step, n_steps)
            muon.step(mean[: len(hidden)], _MUON_RATE * factor, pool)
            for parameter, gradient in zip(others, mean[len(hidden) :], strict=True):
                parameter.grad = gradient
            torch.nn.utils.clip_grad_norm_(others, 1.0)
            _set_rate(adamw, _ADAMW_RATE * factor)
            adamw.step()
            on_progress(step + 1, n_steps)


def _loss(
    model: "LlamaForCausalLM", tokens: "torch.Tensor", labels: "torch.Tensor"
) -> "torch.Tensor":
    """Compute the mean loss over the labels; logits are made where there is one, and only there."""
    import torch

    hidden = model.model(input_ids=tokens, use_cache=False).last_hidden_state
    labels = labels[:, 1:]
    used = labels != _IGNORED
    logits = model.lm_head(hidden[:, :-1][used])
    return torch.nn.functional.cross_entropy(logits, labels[used])


def _schedule(step: int, n_steps: int) -> float:
    """Warm up, stay, and fall linearly over the last half."""
    return min(1.0, (step + 1) / _WARMUP_STEPS, max(0.02, 2 * (1 - step / n_steps)))


def _set_rate(optimizer: Any, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
