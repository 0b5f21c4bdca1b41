"""Params of the vllm teacher, and requests to it, for tests."""

from pathlib import Path
from typing import Any

from llm2llm.params.teacher_vllm import VllmParams
from llm2llm.teacher.protocol import Message, TeacherRequest

MAX_MODEL_LEN = 512


def vllm_params(model: Path, /, **changes: Any) -> VllmParams:
    """Make the section `teacher_batch.vllm`."""
    values: dict[str, Any] = {
        "model": str(model),
        "revision": None,
        "dtype": "float32",
        "quantization": None,
        "max_model_len": MAX_MODEL_LEN,
        "tensor_parallel_size": 1,
        "enforce_eager": True,
        "trust_remote_code": False,
        "chat_template": None,
        "temperature": 1.0,
        "top_p": 1.0,
        "max_tokens": 160,
        "gpu_memory_utilization": 0.5,
        "group_size": 4,
    }
    return VllmParams.model_validate(values | changes)


def request(user: str = "Write a question.", **changes: Any) -> TeacherRequest:
    """Make a request for free text."""
    values: dict[str, Any] = {
        "request_id": "rq-" + "0" * 64,
        "seed_id": "ex-1",
        "purpose": "write",
        "about": None,
        "draw": 0,
        "random_seed": 0,
        "messages": (Message("system", "Be brief."), Message("user", user)),
        "seed_input": "Where ?",
        "seed_target": "LOC",
        "response_schema": None,
    }
    return TeacherRequest(**(values | changes))
