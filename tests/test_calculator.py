"""The calculator: values are filled in after `<<expression=`, whatever the tokenizer."""

from collections.abc import Sequence

import pytest
import torch
from tiny_student import make_tokenizer

from llm2llm.student.calculator import Calculator

TOKENIZERS = {
    "bytes": [],
    "whole signs": ["<<", ">>", " <<", "10", "="],
    "joined": ["4=", "=1", "+5=", "<<2", "0>>"],
}


def forced(tokenizer, texts: Sequence[str], n_tokens: int, prompt: str = "") -> list[str]:
    """Write texts row by row, then `n_tokens` more by a model that always likes `?` best."""
    mark = tokenizer("?", add_special_tokens=False)["input_ids"][0]
    start = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    written = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    width = max(len(ids) for ids in written)
    # Rows start at different steps, so that their texts end at the same one.
    rows = [start + [mark] * (width - len(ids)) for ids in written]
    calculator = Calculator(tokenizer, len(start))
    liked = torch.zeros(len(texts), len(tokenizer))
    liked[:, mark] = 1.0
    for step in range(width + n_tokens):
        ids = torch.tensor([r[: len(start) + step] for r in rows]) if step else None
        if ids is None:
            ids = torch.tensor([start] * len(rows), dtype=torch.long)
        scores = calculator(ids, liked)
        for row, best in enumerate(scores.argmax(-1).tolist()):
            own = written[row]
            place = step - (width - len(own))
            if place >= len(own):
                rows[row].append(best)
            elif place >= 0:
                rows[row].append(own[place])
    return [tokenizer.decode(row[-n_tokens:]) for row in rows]


@pytest.mark.parametrize("extra", TOKENIZERS.values(), ids=TOKENIZERS)
def test_the_value_is_forced(extra: list[str]) -> None:
    """Each row gets its own value and `>>`, then is free again."""
    tokenizer = make_tokenizer(extra)
    texts = ["so <<4+5=", "<<12*10=", "x<< 7 / 2 =", "<<1+1=2>>2 and <<4+6=", "<<2-5="]
    for text, value in zip(texts, ["9", "120", "3.5", "10", "-3"], strict=True):
        (found,) = forced(tokenizer, [text], 9)
        assert found.startswith(value + ">>?"), (text, found)
    together = forced(tokenizer, texts, 9)
    for found, value in zip(together, ["9", "120", "3.5", "10", "-3"], strict=True):
        assert found.startswith(value + ">>?")


@pytest.mark.parametrize(
    "text",
    ["4+5=", "<4+5=", "<<4+5>>=", "<<4+=", "<<1/3=", "<<a=", "<<=", "<<3*(2=", "<<1/0="],
)
def test_what_has_no_value_is_left_to_the_student(text: str) -> None:
    """Nothing is forced without an open annotation, or for an expression without a value."""
    assert forced(make_tokenizer(), [text], 4) == ["????"]


def test_a_token_beyond_the_equals_sign_is_kept_where_it_agrees() -> None:
    """Of 12 the student wrote `1`: only the rest is forced; where it wrote `1` of 23, nothing."""
    tokenizer = make_tokenizer(["=1"])
    assert forced(tokenizer, ["<<6+6=1"], 4) == ["2>>?"]
    assert forced(tokenizer, ["<<20+3=1"], 4) == ["????"]


def test_the_prompt_is_not_read() -> None:
    """An open annotation at the end of the prompt is not the student's."""
    assert forced(make_tokenizer(), ["x"], 4, prompt="<<4+5=") == ["????"]


def test_other_rows_keep_their_scores() -> None:
    """Forcing one row leaves the others' scores as they were."""
    tokenizer = make_tokenizer()
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("<<1+1=", "nothin")]
    scores = torch.randn(2, len(tokenizer))
    changed = Calculator(tokenizer, 0)(torch.tensor(rows), scores)
    assert torch.equal(changed[1], scores[1])
    assert tokenizer.decode([int(changed[0].argmax())]) == "2"


def test_rows_that_left_take_nothing_along() -> None:
    """When the first row leaves, in the middle of its value, each other one gets its own."""
    tokenizer = make_tokenizer()
    rows = [tokenizer(t, add_special_tokens=False)["input_ids"] for t in ("<<6*2=", "<<9+9=")]
    calculator = Calculator(tokenizer, 0)
    calculator(torch.tensor(rows), torch.zeros(2, len(tokenizer)))
    calculator.keep([1])
    left = rows[1]
    for _ in range(4):
        scores = calculator(torch.tensor([left]), torch.zeros(1, len(tokenizer)))
        left = [*left, int(scores[0].argmax())]
    assert tokenizer.decode(left) == "<<9+9=18>>"
