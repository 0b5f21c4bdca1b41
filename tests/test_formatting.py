"""The template: the same tokens in training and inference."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_student import FORMAT, make_tokenizer

from llm2llm.exceptions import StudentError
from llm2llm.student.formatting import IGNORED, Template, within
from llm2llm.tasks.sections import StudentFormat

TEXTS = st.lists(st.text(max_size=20), min_size=1, max_size=4)
CHAT = StudentFormat(prompt="{{ input }}?", chat=True)


@pytest.fixture(scope="module")
def tokenizer():
    """Make one tokenizer for all tests here."""
    return make_tokenizer()


@settings(deadline=None, max_examples=50)
@given(inputs=TEXTS, target=st.text(max_size=20))
def test_training_starts_with_what_inference_sees(
    tokenizer, inputs: list[str], target: str
) -> None:
    """A row is the prompt as inference encodes it, the target, and one end token."""
    template = Template(FORMAT, tokenizer)
    rows = template.encode(inputs, [target] * len(inputs))
    assert template.count_target_tokens([target]) == [len(target.encode()) + 1]
    for text, row, prompt in zip(inputs, rows, template.encode_prompts(inputs), strict=True):
        assert row.input_ids[: row.n_prompt] == prompt
        assert prompt[0] == tokenizer.bos_token_id
        assert tokenizer.decode(prompt[1:]) == f"Q: {text}\nA: "
        assert row.input_ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(row.input_ids[row.n_prompt : -1]) == target


def test_labels_mask_the_prompt(tokenizer) -> None:
    """Labels are ignored on the prompt, and the tokens themselves after it."""
    (row,) = Template(FORMAT, tokenizer).encode(["a"], ["bc"])
    assert row.labels[: row.n_prompt] == [IGNORED] * row.n_prompt
    assert row.labels[row.n_prompt :] == row.input_ids[row.n_prompt :]
    assert len(row.labels) == len(row.input_ids) == row.n_prompt + 3


def test_a_tokenizer_without_start_token_gets_none() -> None:
    """The prompt then begins with its text."""
    tokenizer = make_tokenizer()
    tokenizer.bos_token = None
    (prompt,) = Template(FORMAT, tokenizer).encode_prompts(["a"])
    assert tokenizer.decode(prompt) == "Q: a\nA: "


def test_a_chat_prompt_is_the_users_turn() -> None:
    """The model's own chat template wraps the prompt, and brings its own start token."""
    tokenizer = make_tokenizer()
    tokenizer.chat_template = (
        "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    (row,) = Template(CHAT, tokenizer).encode(["who"], ["me"])
    assert tokenizer.decode(row.input_ids) == "<s>[user]who?[assistant]me</s>"


def test_a_missing_chat_template_or_end_token_is_said() -> None:
    """Both are StudentErrors that name what to set."""
    tokenizer = make_tokenizer()
    with pytest.raises(StudentError, match="no chat template"):
        Template(CHAT, tokenizer).encode_prompts(["a"])
    tokenizer.eos_token = None
    with pytest.raises(StudentError, match="no end token"):
        Template(FORMAT, tokenizer).encode(["a"], ["b"])


def test_rows_at_the_limit_stay_and_longer_ones_go(tokenizer) -> None:
    """The limit itself is allowed."""
    rows = Template(FORMAT, tokenizer).encode(["a", "a"], ["b", "bc"])
    lengths = [len(row.input_ids) for row in rows]
    assert within(rows, lengths[0]) == rows[:1]
    assert within(rows, lengths[1]) == rows


def test_no_rows_are_no_rows(tokenizer) -> None:
    """Empty input is not handed to the tokenizer."""
    assert Template(FORMAT, tokenizer).encode([], []) == []
