"""One batch of answers by transformers' generate: greedily, or drawn with seeded noise."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llm2llm.student.calculator import Calculator
from llm2llm.student.drawing import Noise
from llm2llm.student.formatting import end_token_id
from llm2llm.student.shedding import FollowsRows, generate_shedding


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer as the student wrote it; `n_tokens` counts the end token too."""

    text: str
    truncated: bool
    n_tokens: int


def batches_by_length(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """Sort prompts by length, so that a batch holds little padding, and cut them into batches."""
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def generate_batch(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    *,
    max_new_tokens: int,
    calculator: bool,
    noise: Noise | None = None,
) -> list[Generation]:
    """Answer prompts, given as tokens, which are padded on the left; in their order.

    The likeliest token comes next, after `noise` was added.
    """
    import torch

    width = max(len(prompt) for prompt in prompts)
    end, pad = end_token_id(tokenizer), tokenizer.pad_token_id
    input_ids = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts])
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts])
    # What the calculator forces no noise undoes.
    processors: list[FollowsRows] = [noise] if noise is not None else []
    processors += [Calculator(tokenizer, width)] if calculator else []
    with torch.inference_mode():
        rows = generate_shedding(
            model,
            input_ids.to(model.device),
            mask.to(model.device),
            max_new_tokens=max_new_tokens,
            end=end,
            pad=pad,
            processors=processors,
        )
    return [read_tokens(row, tokenizer) for row in rows]


def read_tokens(tokens: list[int], tokenizer: Any) -> Generation:
    """Turn what was generated into text, up to the first end token."""
    end = end_token_id(tokenizer)
    truncated = end not in tokens
    if not truncated:
        tokens = tokens[: tokens.index(end) + 1]
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    return Generation(text, truncated, len(tokens))
