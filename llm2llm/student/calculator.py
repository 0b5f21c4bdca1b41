"""GSM8K's calculator: after `<<expression=` the value is filled in, not guessed."""

from typing import Any

from llm2llm.arithmetic import calculator_value

_OPEN, _EQUALS, _CLOSE = "<<", "=", ">>"


class Calculator:
    """A logits processor for one batch; it works with any tokenizer (Cobbe et al. 2021, app. C).

    Rows are read token by token from `prompt_length` on. Once a row has written `<<expression=`,
    its next tokens are forced to spell the value and `>>`. An expression without a value is left
    to the student.
    """

    def __init__(self, tokenizer: Any, prompt_length: int) -> None:
        self._tokenizer = tokenizer
        self._read = prompt_length
        self._pieces: dict[int, str] = {}
        self._open: list[str] = []
        self._forced: list[list[int]] = []

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Force the next token of the rows that are inside an annotation's value."""
        if not self._open:
            self._open = [""] * len(input_ids)
            self._forced = [[] for _ in range(len(input_ids))]
        new = input_ids[:, self._read :].tolist()
        self._read = input_ids.shape[1]
        for row, tokens in enumerate(new):
            for token in tokens:
                self._follow(row, token)
        rows = [row for row, forced in enumerate(self._forced) if forced]
        if rows:
            scores = scores.clone()
            scores[rows] = float("-inf")
            scores[rows, [self._forced[row][0] for row in rows]] = 0.0
        return scores

    def _follow(self, row: int, token: int) -> None:
        """Take in one token: the next forced one, or text that may ask for a value."""
        if self._forced[row]:
            self._forced[row].pop(0)
            return
        text = self._open[row] + self._piece(token)
        _, opened, inside = text.rpartition(_OPEN)
        if not opened:
            # The opening may be split between two tokens.
            self._open[row] = text[-1:] if text.endswith("<") else ""
            return
        expression, equals, begun = inside.partition(_EQUALS)
        if not equals:
            self._open[row] = "" if _CLOSE in inside else text
            return
        self._open[row] = ""
        value = calculator_value(expression)
        # A token that goes on after `=` is kept where it agrees with the value.
        if value is not None and (value + _CLOSE).startswith(begun):
            self._forced[row] = self._tokens(_EQUALS + begun, (value + _CLOSE)[len(begun) :])

    def _tokens(self, before: str, text: str) -> list[int]:
        """Encode a text as it goes on after another, without a space that starts a text."""
        lead = self._encode(before)
        whole = self._encode(before + text)
        return whole[len(lead) :] if whole[: len(lead)] == lead else self._encode(text)

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def _piece(self, token: int) -> str:
        if token not in self._pieces:
            self._pieces[token] = self._tokenizer.decode([token])
        return self._pieces[token]
