"""Answers by vLLM, in this process: the same prompts in tokens, the same reading of the answer."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm2llm.exceptions import MachineError, StudentError
from llm2llm.files import read_json
from llm2llm.params.predict import PredictParams
from llm2llm.student.compute import Device, importing, quiet, uses_bf16
from llm2llm.student.engine import Question
from llm2llm.student.formatting import Template, end_token_id
from llm2llm.student.generating import Generation, read_tokens
from llm2llm.student.loading import files_of
from llm2llm.student.vllm_calculator import QUALIFIED_NAME
from llm2llm.tasks.sections import StudentFormat

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams

# Enough to keep a card busy; what is lost by a kill is one group.
_GROUP = 1024
# The ranks that vLLM has kernels for.
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
# Set before vLLM is imported, where the user has not set them: a group is queued whole before its
# first step, and no engine outlives a stage that is killed; nothing is reported to anyone.
_ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    # The calculator is written for this runner's interface, the only one that CPUs have too.
    "VLLM_USE_V2_MODEL_RUNNER": "0",
}


class VllmEngine:
    """A causal student; its adapter goes along with each request. The engine starts when asked.

    `set_default` sets an environment variable that is not set.
    """

    at_a_time = 1

    def __init__(
        self,
        student: Path,
        base_folder: Path,
        student_format: StudentFormat,
        params: PredictParams,
        device: Device,
        *,
        set_default: Callable[[str, str], object],
    ) -> None:
        self._folder, self._adapter = files_of(student, base_folder)
        self._params = params
        self._device = device
        self._set_default = set_default
        with importing():
            import transformers
            from transformers import AutoConfig, AutoTokenizer

        quiet(transformers)
        self._tokenizer = AutoTokenizer.from_pretrained(self._folder, local_files_only=True)
        config = AutoConfig.from_pretrained(self._folder, local_files_only=True)
        self.context: int | None = getattr(config, "max_position_embeddings", None)
        self._template = Template(student_format, self._tokenizer)
        self._llm: LLM | None = None

    def encode(self, inputs: Sequence[str]) -> list[list[int]]:
        """Turn inputs into prompts."""
        return self._template.encode_prompts(inputs)

    def count_target_tokens(self, targets: Sequence[str]) -> list[int]:
        """Count the tokens of targets, the end token included."""
        return self._template.count_target_tokens(targets)

    def groups(self, lengths: Sequence[int]) -> list[list[int]]:
        """Group prompts in their order; vLLM batches by itself."""
        return [
            list(range(start, min(start + _GROUP, len(lengths))))
            for start in range(0, len(lengths), _GROUP)
        ]

    def answer(self, questions: Sequence[Question], max_new_tokens: int) -> list[Generation]:
        """Answer one group; raises StudentError where vLLM fails on it."""
        if self._llm is None:
            self._llm = self._start()
        try:
            outputs = self._llm.generate(
                [{"prompt_token_ids": list(question.prompt)} for question in questions],
                [self._sampling(question, max_new_tokens) for question in questions],
                lora_request=self._lora_request(),
                use_tqdm=False,
            )
        except (OSError, RuntimeError, ValueError) as failure:
            raise StudentError(
                f"predict: vLLM failed on a group of {len(questions)} prompts"
                f" ({_told(failure)}); give it more memory by"
                " `predict.vllm.gpu_memory_utilization` or `tensor_parallel_size`, or set"
                " `predict.engine: transformers`"
            ) from failure
        return [self._read(output) for output in outputs]

    def _start(self) -> "LLM":
        for name, value in _ENVIRONMENT.items():
            self._set_default(name, value)
        try:
            from vllm import LLM

            return LLM(**self._arguments())
        except (ImportError, OSError, RuntimeError, ValueError) as failure:
            raise MachineError(
                f"`predict.engine`: vLLM cannot run {self._folder} ({_told(failure)}); change"
                " `predict.vllm`, free memory for it, or set `engine: transformers`"
            ) from failure

    def _arguments(self) -> dict[str, Any]:
        params, section = self._params, self._params.vllm
        lora = {}
        if self._adapter is not None:
            rank = int(read_json(self._adapter / "adapter_config.json")["r"])
            fitting = [known for known in _RANKS if known >= rank]
            if not fitting:
                raise ValueError(f"its adapter has rank {rank}, vLLM takes {_RANKS[-1]} at most")
            lora = {"enable_lora": True, "max_loras": 1, "max_lora_rank": fitting[0]}
        return {
            "model": str(self._folder),
            "tokenizer": str(self._folder),
            "dtype": "bfloat16" if uses_bf16(params.precision, self._device) else "float32",
            # What memory has room for, at most the model's context.
            "max_model_len": -1 if self._device == "cuda" else None,
            "tensor_parallel_size": section.tensor_parallel_size,
            "gpu_memory_utilization": section.gpu_memory_utilization,
            "enforce_eager": section.enforce_eager,
            # Sampling is what this class says, nothing from the model's folder.
            "generation_config": "vllm",
            "logits_processors": [QUALIFIED_NAME] if params.calculator else None,
            # The calculator reads each token before the next one.
            "async_scheduling": False if params.calculator else None,
            # A prompt's answer may not depend on what was asked before it was.
            "enable_prefix_caching": False,
            **lora,
        }

    def _sampling(self, question: Question, max_new_tokens: int) -> "SamplingParams":
        from vllm import SamplingParams

        drawn = question.random_seed is not None
        return SamplingParams(
            temperature=self._params.temperature if drawn else 0.0,
            seed=question.random_seed & 0x7FFFFFFF if question.random_seed is not None else None,
            max_tokens=max_new_tokens,
            # The one end token that training taught, whatever else the model's files name.
            ignore_eos=True,
            stop_token_ids=[end_token_id(self._tokenizer)],
            detokenize=False,
        )

    def _lora_request(self) -> Any:
        if self._adapter is None:
            return None
        from vllm.lora.request import LoRARequest

        return LoRARequest("student", 1, str(self._adapter))

    def _read(self, output: "RequestOutput") -> Generation:
        (choice,) = output.outputs
        if choice.finish_reason not in ("stop", "length"):
            raise StudentError(
                f"predict: vLLM ended an answer as {choice.finish_reason!r}, expected stop or"
                " length; run the stage again, or set `predict.engine: transformers`"
            )
        return read_tokens(list(choice.token_ids), self._tokenizer)


def _told(failure: Exception) -> str:
    text = " ".join(str(failure).split())
    return text if len(text) <= 300 else text[:297] + "..."
