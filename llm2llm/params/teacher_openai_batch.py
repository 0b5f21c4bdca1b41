"""Section `teacher_batch.openai_batch`: a provider's Batch API."""

from typing import Annotated

from pydantic import Field

from llm2llm.params.openai_chat import OpenAIChatParams


class OpenAIBatchParams(OpenAIChatParams):
    """An OpenAI-compatible endpoint that answers files of requests within `completion_window`.

    A batch holds at most `max_requests_per_batch` requests in `max_bytes_per_batch` bytes. With
    `max_enqueued_tokens` the batches under way hold at most so many tokens (estimated: a token
    for four bytes, and `max_tokens`); null is no limit.
    """

    completion_window: Annotated[str, Field(pattern=r"^[1-9][0-9]*[hd]$")]
    max_requests_per_batch: Annotated[int, Field(ge=1, le=50_000)]
    max_bytes_per_batch: Annotated[int, Field(ge=1, le=200_000_000)]
    max_enqueued_tokens: Annotated[int, Field(ge=1)] | None
