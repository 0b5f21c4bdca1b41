"""The embedded tokenizer: any text comes back, digits stand alone."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llm2llm.student.embedded import words
from llm2llm.student.embedded.tokenizer import BEGIN, END, PAD, make_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Load the tokenizer as any user does: saved, then found by AutoTokenizer."""
    from transformers import AutoTokenizer

    folder: Path = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer(words.every_word(), 2048).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


_TEXTS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from([*words.every_word()[:40], " ", "\n", "<<", ">>", "####", "$", "é", "7"])
    ).map("".join),
    st.text(alphabet=f"{PAD}{END} <>|\t\r\n0123456789"),
)


@settings(max_examples=300, deadline=None)
@given(text=_TEXTS)
def test_any_text_comes_back(tokenizer: Any, text: str) -> None:
    """Encoding and decoding returns every text, special tokens skipped or not."""
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


@settings(max_examples=100, deadline=None)
@given(number=st.integers(min_value=0, max_value=10**12))
def test_digits_are_single_tokens(tokenizer: Any, number: int) -> None:
    """A number is one token a digit, whatever stands before it."""
    for before in ("", " ", "$", "<<", "-"):
        tokens = [tokenizer.decode([i]) for i in tokenizer(f"{before}{number}")["input_ids"]]
        assert tokens[-len(str(number)) :] == list(str(number))


@pytest.mark.parametrize("name", [PAD, BEGIN, END])
def test_names_of_special_tokens_are_text(tokenizer: Any, name: str) -> None:
    """A text that spells a special token's name does not become that token."""
    special = {tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id}
    assert len(special) == 3
    assert not special & set(tokenizer(f"a{name}b")["input_ids"])


def test_gsm8k_form_is_compact(tokenizer: Any) -> None:
    """The marks of GSM8K's form are tokens of their own, so that a calculator sees them."""
    text = "Question: Tom has 48 apples.\nAnswer: Now it is <<48/2=24>>24 apples.\n#### 24"
    assert [tokenizer.decode([i]) for i in tokenizer(text)["input_ids"]] == [
        *("Question", ":", " Tom", " has", " ", "4", "8", " apples", ".", "\nAnswer: "),
        *("Now", " it", " is", " <<", "4", "8", "/", "2", "=", "2", "4", ">>", "2", "4"),
        *(" apples", ".", "\n#### ", "2", "4"),
    ]


def test_other_words_fall_into_bytes(tokenizer: Any) -> None:
    """A word outside the vocabulary is one token a byte, not an unknown token."""
    assert tokenizer.unk_token_id is None
    assert len(tokenizer("zyzzyva")["input_ids"]) == 7
    assert len(tokenizer("日")["input_ids"]) == 3
