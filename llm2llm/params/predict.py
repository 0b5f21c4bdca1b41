"""Section `predict`: how students answer."""

from typing import Annotated, Literal

from pydantic import Field

from llm2llm.params.section import Section


class PredictParams(Section):
    """`test_rows` null measures on all test rows, a number on the first so many of them.

    All of them are always checked for leakage. `max_new_tokens` null takes 1.5 times the longest
    seed target. `calculator` fills in the value after `<<expression=`, as GSM8K's authors did.
    """

    test_rows: Annotated[int, Field(ge=1)] | None
    batch_size: Annotated[int, Field(ge=1)]
    max_new_tokens: Annotated[int, Field(ge=1)] | None
    calculator: bool
    precision: Literal["auto", "fp32", "bf16"]
    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1)]
