"""Rows that ended leave their batch, and each of the others gets the tokens it would have got."""

import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    DynamicCache,
    GenerationConfig,
    LlamaConfig,
    LlamaForCausalLM,
    LogitsProcessorList,
    MistralConfig,
    MistralForCausalLM,
)
from transformers.cache_utils import LinearAttentionLayer

from llm2llm.student.drawing import Noise
from llm2llm.student.shedding import can_be_cut, generate_shedding

END, PAD = 2, 0
LIMIT = 24
SIZES = {
    "vocab_size": 99,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": END,
    "pad_token_id": PAD,
}


class Endings:
    """A logits processor that ends each row at a step of its own, and never before."""

    def __init__(self, width: int, steps: Sequence[int]) -> None:
        self._width, self._steps = width, list(steps)

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Let the end token be the likeliest, or the least likely one."""
        now = torch.tensor([step == input_ids.shape[1] - self._width for step in self._steps])
        scores[:, END] = torch.where(now, float("inf"), float("-inf"))
        return scores

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        self._steps = [self._steps[row] for row in rows]


def llama() -> Any:
    """Make a tiny model of random weights."""
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SIZES)).eval()


def mistral() -> Any:
    """Make one whose layers see eight tokens back."""
    torch.manual_seed(0)
    return MistralForCausalLM(MistralConfig(**SIZES, sliding_window=8)).eval()


def fixed() -> Any:
    """Make one whose base asks for a cache of fixed size."""
    model = llama()
    model.generation_config.cache_implementation = "static"
    return model


def a_batch(n_rows: int) -> tuple[Any, Any, list[int]]:
    """Make prompts of 1 to 12 tokens, padded on the left, and the step at which each row ends."""
    draw = random.Random(n_rows)
    lengths = [draw.randint(1, 12) for _ in range(n_rows)]
    ids = [[PAD] * (12 - n) + [draw.randint(3, 98) for _ in range(n)] for n in lengths]
    mask = [[0] * (12 - n) + [1] * n for n in lengths]
    # Some rows never end.
    return torch.tensor(ids), torch.tensor(mask), [draw.randint(0, 32) for _ in range(n_rows)]


def processors_of(steps: list[int], *, drawn: bool) -> list[Any]:
    """Make what changes the scores, new for each run."""
    return [Noise(range(len(steps)), 2.0)] * drawn + [Endings(12, steps)]


def whole_batch(model: Any, ids: Any, mask: Any, processors: list[Any]) -> list[list[int]]:
    """Generate as transformers does: all rows, until the last one ends."""
    out = model.generate(
        input_ids=ids,
        attention_mask=mask,
        logits_processor=LogitsProcessorList(processors),
        generation_config=GenerationConfig(
            max_new_tokens=LIMIT, do_sample=False, pad_token_id=PAD, eos_token_id=END
        ),
    )
    return out[:, ids.shape[1] :].tolist()


def shed(model: Any, ids: Any, mask: Any, processors: list[Any]) -> list[list[int]]:
    """Generate by the function under test."""
    return generate_shedding(
        model, ids, mask, max_new_tokens=LIMIT, end=END, pad=PAD, processors=processors
    )


def up_to_the_end(rows: list[list[int]]) -> list[list[int]]:
    """Leave out what follows the end token."""
    return [row[: row.index(END) + 1] if END in row else row for row in rows]


@pytest.mark.parametrize("make", [llama, mistral, fixed])
@pytest.mark.parametrize("drawn", [False, True], ids=["greedy", "drawn"])
@pytest.mark.parametrize("n_rows", [1, 3, 90])
def test_each_row_gets_the_tokens_of_a_whole_batch(make: Any, drawn: bool, n_rows: int) -> None:
    """Whatever the cache: the same tokens as from transformers alone, in the order of the rows."""
    model = make()
    ids, mask, steps = a_batch(n_rows)
    with torch.inference_mode():
        found = shed(model, ids, mask, processors_of(steps, drawn=drawn))
        wanted = whole_batch(model, ids, mask, processors_of(steps, drawn=drawn))
    assert up_to_the_end(found) == up_to_the_end(wanted)
    assert [len(row) for row in up_to_the_end(found)] == [min(s + 1, LIMIT) for s in steps]


def test_an_end_that_the_model_chooses_ends_its_row() -> None:
    """Nothing forces it: among the likeliest tokens of random weights it comes in many rows."""
    model = llama()
    with torch.no_grad():
        model.lm_head.weight[END] *= 4
    ids, mask, _ = a_batch(90)
    with torch.inference_mode():
        found = shed(model, ids, mask, [])
        wanted = whole_batch(model, ids, mask, [])
    assert up_to_the_end(found) == up_to_the_end(wanted)
    lengths = [row.index(END) for row in found if END in row]
    assert 20 < len(lengths) < 90
    assert len(set(lengths)) > 5


def test_no_step_is_spent_on_rows_that_ended() -> None:
    """One row goes on twenty steps longer than the others, alone."""
    model = llama()
    seen: list[int] = []
    model.register_forward_pre_hook(
        lambda _model, _args, options: seen.append(len(options["input_ids"])), with_kwargs=True
    )
    ids, mask, _ = a_batch(16)
    with torch.inference_mode():
        shed(model, ids, mask, [Endings(12, [2] * 15 + [22])])
    assert seen == [16] * 3 + [1] * 20


def test_rows_wait_until_an_eighth_of_them_ended() -> None:
    """A row that ends first stays until another one does, of sixteen."""
    model = llama()
    seen: list[int] = []
    model.register_forward_pre_hook(
        lambda _model, _args, options: seen.append(len(options["input_ids"])), with_kwargs=True
    )
    ids, mask, _ = a_batch(16)
    with torch.inference_mode():
        shed(model, ids, mask, [Endings(12, [1, 3] + [4] * 14)])
    assert seen == [16] * 4 + [14]


def test_a_recurrent_state_is_not_cut() -> None:
    """Only caches of keys and values lose rows; none at all, or one with a state, is left alone."""
    assert can_be_cut(DynamicCache(config=LlamaConfig(**SIZES)))
    assert not can_be_cut(None)
    assert not can_be_cut(SimpleNamespace(layers=[]))
    state = LinearAttentionLayer()
    assert not can_be_cut(
        SimpleNamespace(layers=[*DynamicCache(config=LlamaConfig(**SIZES)).layers, state])
    )
