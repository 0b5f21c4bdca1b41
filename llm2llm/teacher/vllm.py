"""A teacher that vLLM runs in this process, a group of requests at a time."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from llm2llm.ids import Json, canonical_json
from llm2llm.params.teacher_vllm import VllmParams
from llm2llm.seeding import derive
from llm2llm.teacher.openai_failures import short
from llm2llm.teacher.protocol import (
    BAD_REQUEST,
    Answer,
    Refusal,
    TeacherRequest,
    TeacherStoppedError,
)
from llm2llm.teacher.vllm_engine import SERIES, STRUCTURED_OUTPUTS, start
from llm2llm.teacher.vllm_model import name_model

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams

# How a request ends that has an answer; the others are vLLM's own trouble.
_ANSWERED = ("stop", "length", "repetition")


class VllmTeacher:
    """Answer groups; the engine starts at the first one, so a full ledger needs no vLLM.

    `set_default` sets an environment variable that is not set; `section` is the one in params.yaml
    that names the backend.
    """

    def __init__(
        self,
        params: VllmParams,
        *,
        set_default: Callable[[str, str], object],
        section: str = "teacher_batch",
    ) -> None:
        self._params = params
        self._section = section
        self._set_default = set_default
        self._llm: LLM | None = None

    @functools.cached_property
    def identity(self) -> Mapping[str, Json]:
        """Name model, engine and sampling; raises ParamsError where the model is not pinned.

        Left out are `gpu_memory_utilization` and `group_size`, which say how fast answers come.
        """
        return {
            "backend": "vllm",
            "vllm": SERIES,
            **name_model(self._params, self._section),
            "dtype": self._params.dtype,
            "quantization": self._params.quantization,
            "max_model_len": self._params.max_model_len,
            "tensor_parallel_size": self._params.tensor_parallel_size,
            "enforce_eager": self._params.enforce_eager,
            "trust_remote_code": self._params.trust_remote_code,
            "chat_template": self._params.chat_template,
            "temperature": self._params.temperature,
            "top_p": self._params.top_p,
            "max_tokens": self._params.max_tokens,
            "structured_outputs": STRUCTURED_OUTPUTS,
        }

    def identify(self, request: TeacherRequest) -> Mapping[str, Json]:
        """Add the schema that the answer is held to."""
        return {**self.identity, "response_schema": request.response_schema}

    @property
    def group_size(self) -> int:
        """How many requests are answered, and kept, together."""
        return self._params.group_size

    def ask_group(self, requests: Sequence[TeacherRequest]) -> list[Answer | Refusal]:
        """Answer all, in their order; a request that vLLM does not take becomes a refusal."""
        if not requests:
            return []
        if self._llm is None:
            self._llm = start(self._params, self._set_default, self._section)
        from vllm.exceptions import VLLMError

        try:
            refusals = [self._queue(self._llm, request) for request in requests]
            finished = self._llm.wait_for_completion(use_tqdm=False)
            answers = [self._read(output) for output in finished]
            if len(answers) != refusals.count(None):
                raise RuntimeError(f"{len(answers)} answers to {refusals.count(None)} requests")
        except (VLLMError, OSError, RuntimeError, ValueError) as failure:
            raise TeacherStoppedError(
                f"vLLM failed on a group of {len(requests)} requests ({short(str(failure))}); no"
                " answer of this group was kept"
            ) from failure
        following = iter(answers)
        return [next(following) if refusal is None else refusal for refusal in refusals]

    def _queue(self, llm: "LLM", request: TeacherRequest) -> Refusal | None:
        """Hand one request over, alone: a list that holds a bad one is refused as a whole."""
        from vllm.exceptions import VLLMClientError

        try:
            llm.enqueue_chat(
                [dataclasses.asdict(message) for message in request.messages],
                self._sampling(request),
                use_tqdm=False,
                chat_template=self._params.chat_template,
            )
        except VLLMClientError as failure:
            return Refusal(f"{BAD_REQUEST} ({short(str(failure))})", self._name)
        return None

    def _sampling(self, request: TeacherRequest) -> "SamplingParams":
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        schema = request.response_schema
        # One seed for all would give a second draw the first one's answer.
        number = derive(request.random_seed, "teacher", request.seed_id, request.draw)
        return SamplingParams(
            temperature=self._params.temperature,
            top_p=self._params.top_p,
            max_tokens=self._params.max_tokens,
            seed=number & 0x7FFFFFFF,
            structured_outputs=None if schema is None else StructuredOutputsParams(dict(schema)),
        )

    def _read(self, output: "RequestOutput") -> Answer:
        import vllm

        (choice,) = output.outputs
        if choice.finish_reason not in _ANSWERED:
            raise RuntimeError(f"a request ended as {choice.finish_reason!r}")
        n_prompt_tokens = len(output.prompt_token_ids)
        n_completion_tokens = len(choice.token_ids)
        raw: dict[str, Json] = {
            "text": choice.text,
            "finish_reason": choice.finish_reason,
            "stop_reason": choice.stop_reason,
            "n_prompt_tokens": n_prompt_tokens,
            "n_completion_tokens": n_completion_tokens,
            "vllm": vllm.__version__,
        }
        return Answer(
            text=choice.text,
            finish_reason=choice.finish_reason,
            teacher=self._name,
            n_prompt_tokens=n_prompt_tokens,
            n_completion_tokens=n_completion_tokens,
            raw=canonical_json(raw),
        )

    @property
    def _name(self) -> str:
        return str(self.identity["model"])
