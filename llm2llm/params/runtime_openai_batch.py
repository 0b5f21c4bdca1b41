"""Section `runtime.openai_batch`: how batches are waited for."""

from typing import Annotated

from pydantic import Field

from llm2llm.params.section import Section


class OpenAIBatchRuntimeParams(Section):
    """With `wait` the stage looks every `poll_every_s` seconds until all is collected.

    Without it the stage submits what is missing and ends; the next `dvc repro` collects.
    """

    poll_every_s: Annotated[float, Field(gt=0)]
    wait: bool
