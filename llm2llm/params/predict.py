"""Section `predict`: how students answer."""

from typing import Annotated, Literal

from pydantic import Field

from llm2llm.params.section import Section


class PredictParams(Section):
    """`max_new_tokens` null takes 1.5 times the longest seed target.

    `calculator` fills in the value after `<<expression=`, as GSM8K's authors did.
    """

    batch_size: Annotated[int, Field(ge=1)]
    max_new_tokens: Annotated[int, Field(ge=1)] | None
    calculator: bool
    precision: Literal["auto", "fp32", "bf16"]
    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1)]
