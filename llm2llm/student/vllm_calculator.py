"""The calculator as a logits processor of vLLM 0.32, by its first model runner's interface."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

from llm2llm.student.calculator import Annotations, Spelling

# What vLLM loads the class by, in worker processes too.
NAME = "VllmCalculator"
QUALIFIED_NAME = f"{__name__}:{NAME}"


def __getattr__(name: str) -> Any:
    """Make the class when it is asked for, as its base class needs vLLM."""
    if name != NAME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _made()


@functools.cache
def _made() -> type[Any]:
    from transformers import AutoTokenizer
    from vllm.v1.sample.logits_processor import AdapterLogitsProcessor

    class VllmCalculator(AdapterLogitsProcessor):
        """One follower for each request; vLLM hands over all tokens that the answer has so far."""

        def __init__(self, vllm_config: Any, device: Any, is_pin_memory: bool) -> None:
            super().__init__(vllm_config, device, is_pin_memory)
            folder = vllm_config.model_config.tokenizer
            self._spelling = Spelling(AutoTokenizer.from_pretrained(folder, local_files_only=True))

        def is_argmax_invariant(self) -> bool:
            """Say that greedy answers change too."""
            return False

        def new_req_logits_processor(self, _params: Any) -> Callable[[Sequence[int], Any], Any]:
            """Follow one answer from its beginning, also after it was set aside and taken up."""
            return _follower(Annotations(self._spelling))

    return VllmCalculator


def _follower(annotations: Annotations) -> Callable[[Sequence[int], Any], Any]:
    n_read = 0

    def force(output_ids: Sequence[int], logits: Any) -> Any:
        nonlocal n_read
        for token in output_ids[n_read:]:
            annotations.follow(token)
        n_read = len(output_ids)
        if annotations.forced is not None:
            logits = logits.clone()
            logits[:] = float("-inf")
            logits[annotations.forced] = 0.0
        return logits

    return force
