"""Which examples make which update: a plan for the whole training, made before it starts."""

import itertools
import math
import random
from collections.abc import Sequence

from llm2llm.seeding import stream
from llm2llm.student.formatting import Row

# Sorting by length within 16 batches at a time keeps most of the order random.
_WINDOW = 16


def n_updates_for(n_examples: int, batch_size: int, epochs: int) -> int:
    """Count the updates of a training."""
    return math.ceil(n_examples / batch_size) * epochs


def set_sizes(written_in: Sequence[int | None], iterations: int) -> list[int]:
    """Count the examples of sets 0 to `iterations`, by the iteration that wrote each of the last.

    Seeds were written in none; set i holds what was written before iteration i.
    """
    return [
        sum(iteration is None or iteration < i for iteration in written_in)
        for i in range(iterations + 1)
    ]


def plan_updates(
    lengths: Sequence[int],
    *,
    batch_size: int,
    n_updates: int,
    length_grouped: bool,
    random_seed: int,
) -> list[list[int]]:
    """List the examples of every update, by their index in `lengths`, which are in tokens.

    Each epoch takes every example once, in another order, and its batches differ by one example
    at most. Epochs are repeated, the last one in part, until there are `n_updates`. With
    `length_grouped` a batch holds examples of similar length, so little of it is padding.
    """
    plan: list[list[int]] = []
    epoch = 0
    while len(plan) < n_updates:
        plan += _epoch(lengths, batch_size, length_grouped, stream(random_seed, "epoch", epoch))
        epoch += 1
    return plan[:n_updates]


def _epoch(
    lengths: Sequence[int], batch_size: int, length_grouped: bool, draw: random.Random
) -> list[list[int]]:
    order = list(range(len(lengths)))
    draw.shuffle(order)
    if length_grouped:
        window = batch_size * _WINDOW
        order = [
            index
            for start in range(0, len(order), window)
            for index in sorted(order[start : start + window], key=lambda i: lengths[i])
        ]
    n_batches = math.ceil(len(order) / batch_size)
    edges = [len(order) * batch // n_batches for batch in range(n_batches + 1)]
    batches = [order[start:end] for start, end in itertools.pairwise(edges)]
    draw.shuffle(batches)
    return batches


def split_update(update: Sequence[int], n_parts: int) -> list[list[int]]:
    """Split an update into exactly `n_parts` micro-batches; too few examples leave some empty."""
    size = math.ceil(len(update) / n_parts)
    return [list(update[part * size : (part + 1) * size]) for part in range(n_parts)]


def dev_batches(rows: Sequence[Row], size: int) -> list[list[Row]]:
    """Cut rows into batches of similar length."""
    ordered = sorted(rows, key=lambda row: len(row.input_ids))
    return [ordered[start : start + size] for start in range(0, len(ordered), size)]
