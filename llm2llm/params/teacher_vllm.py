"""Section `teacher_batch.vllm`: a teacher that vLLM runs in the stage's own process."""

import re
from pathlib import Path
from typing import Annotated, Literal

from jinja2 import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import Field, field_validator

from llm2llm.params.section import Section

_COMMIT = re.compile(r"[0-9a-f]{40}")


class VllmParams(Section):
    """A model, how it is loaded, how it is asked and how it samples.

    `model` is a folder or a hub id. `revision` is a hub model's commit. For a folder null has its
    files hashed, and any other text is a name for its content that is taken on trust.
    `quantization`, `dtype` and `max_model_len` go to vLLM as they are; null is the model's own.
    `chat_template` is Jinja over `messages`, `bos_token` and the like, null the model's own.
    `group_size` requests are answered, and kept, together; it and `gpu_memory_utilization` say
    how fast answers come, and are no part of a request's identity.
    """

    model: Annotated[str, Field(min_length=1)]
    revision: Annotated[str, Field(min_length=1)] | None
    dtype: Literal["auto", "float32", "float16", "bfloat16"]
    quantization: Annotated[str, Field(min_length=1)] | None
    max_model_len: Annotated[int, Field(ge=1)] | None
    tensor_parallel_size: Annotated[int, Field(ge=1)]
    enforce_eager: bool
    trust_remote_code: bool
    chat_template: Annotated[str, Field(min_length=1)] | None
    temperature: Annotated[float, Field(ge=0)]
    top_p: Annotated[float, Field(gt=0, le=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    gpu_memory_utilization: Annotated[float, Field(gt=0, le=1)]
    group_size: Annotated[int, Field(ge=1)]

    @field_validator("chat_template")
    @classmethod
    def _is_jinja(cls, value: str | None) -> str | None:
        # Chat templates may use `break`, which plain Jinja does not know.
        try:
            ImmutableSandboxedEnvironment(extensions=["jinja2.ext.loopcontrols"]).parse(value or "")
        except TemplateSyntaxError as failure:
            raise ValueError(
                f"a Jinja template (line {failure.lineno}: {failure.message})"
            ) from None
        return value


def model_problem(params: VllmParams, section: str = "teacher_batch") -> str | None:
    """Say why answers could not be kept under a name of their model; None if they can.

    `section` is the one that `vllm` stands in. Either a hub model is not pinned to a commit, or a
    folder that is to be hashed holds no model.
    """
    if is_folder(params.model):
        folder = Path(params.model).resolve()
        if params.revision is None and not (folder / "config.json").is_file():
            return (
                f"`{section}.vllm.model`: {folder}: found no config.json in it, expected a"
                " model's folder; mend the path"
            )
        return None
    if params.revision is None or not _COMMIT.fullmatch(params.revision):
        return (
            f"`{section}.vllm.revision`: found {params.revision!r}, expected the commit of"
            f" {params.model} on the hub (40 hex digits), as there is no folder of this name; copy"
            " it from the history of the model's files"
        )
    return None


def is_folder(model: str) -> bool:
    """Tell a folder from a hub id, also where the folder is on another machine."""
    return model.startswith(("/", ".")) or Path(model).is_dir()
