"""A tiny model in two folders, and the one engine that this process can have."""

import os
from pathlib import Path

import pytest
from tiny_llama import CHAT, make_llama
from vllm_inputs import vllm_params

from llm2llm.teacher.vllm import VllmTeacher

# GiB; without it vLLM takes most of the machine's memory for its cache.
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# A model this small only loses time to threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def chat_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a model with a chat template of its own."""
    return make_llama(tmp_path_factory.mktemp("model") / "tiny-chat", CHAT)


@pytest.fixture(scope="session")
def bare_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a model without a chat template."""
    return make_llama(tmp_path_factory.mktemp("model") / "tiny-bare", None)


@pytest.fixture(scope="session")
def teacher(chat_model: Path) -> VllmTeacher:
    """Make the teacher whose engine all tests of this process share."""
    return VllmTeacher(vllm_params(chat_model), set_default=os.environ.setdefault)
