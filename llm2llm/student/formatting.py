"""The one template that turns rows into tokens, for training and inference alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from llm2llm.exceptions import StudentError
from llm2llm.prompts import render
from llm2llm.tasks.sections import StudentFormat

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Encoded:
    """One example in tokens: the first `n_prompt` are the prompt, then target and end token."""

    input_ids: list[int]
    n_prompt: int

    @property
    def labels(self) -> list[int]:
        """Mask the prompt, so that the loss falls on the target and the end token only."""
        return [IGNORED] * self.n_prompt + self.input_ids[self.n_prompt :]


@dataclass(frozen=True, slots=True)
class Template:
    """A task's student format, bound to a base model's tokenizer."""

    student_format: StudentFormat
    tokenizer: Any

    def encode(self, inputs: Sequence[str], targets: Sequence[str]) -> list[Encoded]:
        """Encode examples; prompts come out exactly as `encode_prompts` makes them."""
        end = end_token_id(self.tokenizer)
        prompts = self.encode_prompts(inputs)
        return [
            Encoded([*prompt, *target, end], len(prompt))
            for prompt, target in zip(prompts, self._tokens(targets), strict=True)
        ]

    def encode_prompts(self, inputs: Sequence[str]) -> list[list[int]]:
        """Encode prompts; a start token leads where the tokenizer has one."""
        prompts = [render(self.student_format.prompt, input=text) for text in inputs]
        if self.student_format.chat:
            if not self.tokenizer.chat_template:
                raise StudentError(
                    "the base model's tokenizer has no chat template, expected one as the task says"
                    " `chat: true`; set `student.chat: false` there, or take a chat model"
                )
            # The chat template writes the start token itself.
            turns = [[{"role": "user", "content": prompt}] for prompt in prompts]
            return self._tokens(
                [
                    self.tokenizer.apply_chat_template(
                        turn, tokenize=False, add_generation_prompt=True
                    )
                    for turn in turns
                ]
            )
        start = [] if self.tokenizer.bos_token_id is None else [self.tokenizer.bos_token_id]
        return [start + ids for ids in self._tokens(prompts)]

    def encode_texts(self, inputs: Sequence[str]) -> list[list[int]]:
        """Encode what a classifier reads: the rendered prompt between the model's special tokens.

        Nothing is cut.
        """
        if self.student_format.chat:
            raise StudentError(
                "a classifier reads texts without turns, found `chat: true` in the task's `student`"
                " section, expected false; set it there"
            )
        if not inputs:
            return []
        texts = [render(self.student_format.prompt, input=text) for text in inputs]
        ids: list[list[int]] = self.tokenizer(texts, truncation=False)["input_ids"]
        return ids

    def count_target_tokens(self, targets: Sequence[str]) -> list[int]:
        """Count the tokens of targets, the end token included."""
        return [len(ids) + 1 for ids in self._tokens(targets)]

    def _tokens(self, texts: Sequence[str]) -> list[list[int]]:
        if not texts:
            return []
        ids: list[list[int]] = self.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return ids


def end_token_id(tokenizer: Any) -> int:
    """Look up the token that ends an answer; raises StudentError where there is none."""
    if tokenizer.eos_token_id is None:
        raise StudentError(
            "the base model's tokenizer has no end token, expected eos_token in its"
            " tokenizer_config.json; set it there"
        )
    return int(tokenizer.eos_token_id)


class HasTokens(Protocol):
    """A row in tokens, whatever is trained on it."""

    @property
    def input_ids(self) -> list[int]:
        """Give the tokens."""
        ...


Row = TypeVar("Row", bound=HasTokens)


def within(rows: Sequence[Row], limit: int) -> list[Row]:
    """Leave out the rows of more tokens than `limit`, as cutting one would train a wrong end."""
    return [row for row in rows if len(row.input_ids) <= limit]
