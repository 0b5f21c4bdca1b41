"""GSM8K's calculator: after `<<expression=` the value is filled in, not guessed.

Cobbe et al. 2021, appendix C.
"""

from collections.abc import Sequence
from typing import Any

from llm2llm.arithmetic import calculator_value

_OPEN, _EQUALS, _CLOSE = "<<", "=", ">>"


class Annotations:
    """Follows one answer, token by token, and says which token must come next, if any.

    Once the answer has written `<<expression=`, its next tokens are those that spell the value and
    `>>`. An expression without a value is left to the student. It works with any tokenizer.
    """

    def __init__(self, spelling: "Spelling") -> None:
        self._spelling = spelling
        self._open = ""
        self._forced: list[int] = []

    @property
    def forced(self) -> int | None:
        """The token that must come next."""
        return self._forced[0] if self._forced else None

    def follow(self, token: int) -> None:
        """Take in one token: the next forced one, or text that may ask for a value."""
        if self._forced:
            self._forced.pop(0)
            return
        text = self._open + self._spelling.piece(token)
        _, opened, inside = text.rpartition(_OPEN)
        if not opened:
            # The opening may be split between two tokens.
            self._open = text[-1:] if text.endswith("<") else ""
            return
        expression, equals, begun = inside.partition(_EQUALS)
        if not equals:
            self._open = "" if _CLOSE in inside else text
            return
        self._open = ""
        value = calculator_value(expression)
        # A token that goes on after `=` is kept where it agrees with the value.
        if value is not None and (value + _CLOSE).startswith(begun):
            self._forced = self._spelling.tokens(_EQUALS + begun, (value + _CLOSE)[len(begun) :])


class Spelling:
    """What a tokenizer's tokens spell, and how it spells a text that goes on after another."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._pieces: dict[int, str] = {}

    def tokens(self, before: str, text: str) -> list[int]:
        """Encode a text as it goes on after another, without a space that starts a text."""
        lead = self._encode(before)
        whole = self._encode(before + text)
        return whole[len(lead) :] if whole[: len(lead)] == lead else self._encode(text)

    def piece(self, token: int) -> str:
        """Decode one token."""
        if token not in self._pieces:
            self._pieces[token] = self._tokenizer.decode([token])
        return self._pieces[token]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


class Calculator:
    """A logits processor of transformers for one batch, whose prompts have `prompt_length`."""

    def __init__(self, tokenizer: Any, prompt_length: int) -> None:
        self._spelling = Spelling(tokenizer)
        self._read = prompt_length
        self._rows: list[Annotations] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Force the next token of the rows that are inside an annotation's value."""
        if not self._rows:
            self._rows = [Annotations(self._spelling) for _ in range(len(input_ids))]
        new = input_ids[:, self._read :].tolist()
        self._read = input_ids.shape[1]
        for row, tokens in zip(self._rows, new, strict=True):
            for token in tokens:
                row.follow(token)
        forced = {index: row.forced for index, row in enumerate(self._rows)}
        rows = [index for index, token in forced.items() if token is not None]
        if rows:
            scores = scores.clone()
            scores[rows] = float("-inf")
            scores[rows, [forced[index] for index in rows]] = 0.0
        return scores

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone."""
        self._rows = [self._rows[row] for row in rows]
