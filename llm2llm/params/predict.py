"""Section `predict`: how students answer."""

from typing import Annotated, Literal

from pydantic import Field

from llm2llm.params.section import Section


class PredictVllmParams(Section):
    """How vLLM runs the student; `tensor_parallel_size` is the number of GPUs it is split over."""

    tensor_parallel_size: Annotated[int, Field(ge=1)]
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)]
    enforce_eager: bool


class PredictParams(Section):
    """`test_rows` null measures on all test rows, a number on the first so many of them.

    All of them are always checked for leakage. `max_new_tokens` null takes 1.5 times the longest
    seed target. `calculator` fills in the value after `<<expression=`, as GSM8K's authors did.
    `engine: auto` takes vLLM where it is installed and a GPU is there. Verdicts are of the greedy
    answer; with `samples` above 1 so many are drawn besides, at `temperature`.
    """

    test_rows: Annotated[int, Field(ge=1)] | None
    batch_size: Annotated[int, Field(ge=1)]
    max_new_tokens: Annotated[int, Field(ge=1)] | None
    calculator: bool
    engine: Literal["auto", "transformers", "vllm"]
    samples: Annotated[int, Field(ge=1)]
    temperature: Annotated[float, Field(gt=0)]
    vllm: PredictVllmParams
    precision: Literal["auto", "fp32", "bf16"]
    device: Literal["auto", "cpu", "cuda"]
    threads: Annotated[int, Field(ge=1)]
