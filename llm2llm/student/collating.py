"""Micro-batches as tensors, and the loss on them."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from llm2llm.student.classes import Labeled
from llm2llm.student.formatting import IGNORED, Encoded
from llm2llm.student.pretrained import context_of

Collate = Callable[[list[list[Any]]], dict[str, Any]]

# oneDNN makes a kernel for each shape it meets, so few widths save time and memory.
_MULTIPLE_OF = 8


def causal_collator(model: Any) -> Collate:
    """Make the function that turns one micro-batch of a causal model into tensors.

    Rows are padded on the right, where a causal model's real tokens never look, so no attention
    mask is needed. Logits are computed from the first target on, where the model can do that.
    """
    import torch

    forward = getattr(model, "get_base_model", lambda: model)().forward
    keeps_logits = "logits_to_keep" in inspect.signature(forward).parameters
    context = context_of(model)

    def collate(items: list[list[Encoded]]) -> dict[str, Any]:
        (rows,) = items
        # An empty part of an update: two tokens that no loss falls on.
        pairs = [(row.input_ids, row.labels) for row in rows] or [([0, 0], [IGNORED, IGNORED])]
        width = _width([ids for ids, _ in pairs], context)
        input_ids = [ids + [0] * (width - len(ids)) for ids, _ in pairs]
        labels = torch.tensor([ids + [IGNORED] * (width - len(ids)) for _, ids in pairs])
        batch: dict[str, Any] = {"input_ids": torch.tensor(input_ids), "labels": labels}
        if keeps_logits and rows:
            # The token before the first target predicts it.
            first = max(0, min(row.n_prompt for row in rows) - 1)
            batch["labels"] = labels[:, first:]
            batch["logits_to_keep"] = width - first
        return batch

    return collate


def class_collator(pad_token_id: int, context: int | None) -> Collate:
    """Make the function that turns one micro-batch of a classifier into tensors."""
    import torch

    def collate(items: list[list[Labeled]]) -> dict[str, Any]:
        (rows,) = items
        # An empty part of an update: a token that no loss falls on.
        pairs = [(row.input_ids, row.label) for row in rows] or [([pad_token_id], IGNORED)]
        width = _width([ids for ids, _ in pairs], context)
        return {
            "input_ids": torch.tensor(
                [ids + [pad_token_id] * (width - len(ids)) for ids, _ in pairs]
            ),
            "attention_mask": torch.tensor(
                [[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in pairs]
            ),
            "labels": torch.tensor([label for _, label in pairs]),
        }

    return collate


def _width(rows: Sequence[Sequence[int]], context: int | None) -> int:
    """Give the longest row's tokens, rounded up where the model's context leaves room."""
    longest = max(map(len, rows))
    rounded = -(-longest // _MULTIPLE_OF) * _MULTIPLE_OF
    return max(longest, min(rounded, context or rounded))


def class_loss(outputs: Any, labels: Any, num_items_in_batch: Any) -> Any:
    """Sum the cross entropy over rows and divide by the rows of the whole update.

    Models divide by the rows of a micro-batch, which weighs the rows of small ones more.
    """
    from torch.nn.functional import cross_entropy

    total = cross_entropy(outputs.logits.float(), labels, ignore_index=IGNORED, reduction="sum")
    return total / num_items_in_batch
