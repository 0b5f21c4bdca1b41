"""Section `runtime`: what cannot change a byte of any result, and is in no stage's params."""

from typing import Annotated

from pydantic import Field, model_validator

from llm2llm.params.runtime_openai_batch import OpenAIBatchRuntimeParams
from llm2llm.params.section import Section

_Price = Annotated[float, Field(ge=0)] | None


class RuntimeParams(Section):
    """How fast, how patiently and for how much money at most; null is no limit, or not known.

    `teacher_max_attempts` counts the HTTP tries of one request, and its submissions in batches.
    `max_requests`, `max_tokens` and `max_cost` cover all paid requests that the ledger holds,
    those of earlier runs too, and each call that was billed and brought no answer. Prices and
    `max_cost` are in the same currency, whichever.
    `pay_again` asks the teacher even though dvc.lock lists the answers as bought, and submits
    again what a batch cannot be made to give. `stop_when_all_fail` stops a stage whose first
    answers of the teacher all bring no example.
    """

    teacher_concurrency: Annotated[int, Field(ge=1, le=1000)]
    teacher_timeout_s: Annotated[float, Field(gt=0)]
    teacher_max_attempts: Annotated[int, Field(ge=1)]
    teacher_requests_per_minute: Annotated[int, Field(ge=1)] | None
    teacher_tokens_per_minute: Annotated[int, Field(ge=1)] | None
    openai_batch: OpenAIBatchRuntimeParams
    max_requests: Annotated[int, Field(ge=0)] | None
    max_tokens: Annotated[int, Field(ge=0)] | None
    max_cost: Annotated[float, Field(ge=0)] | None
    price_per_million_prompt_tokens: _Price
    price_per_million_completion_tokens: _Price
    pay_again: bool
    # Projects older than this key have a runtime section without it.
    stop_when_all_fail: bool = True
    checkpoint_every_steps: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _max_cost_needs_prices(self) -> "RuntimeParams":
        prices = (self.price_per_million_prompt_tokens, self.price_per_million_completion_tokens)
        if self.max_cost is not None and None in prices:
            raise ValueError("max_cost can be kept only where both prices are numbers")
        return self
