"""The name under which a model's answers are kept: other weights have another one."""

from pathlib import Path

from llm2llm.exceptions import ParamsError
from llm2llm.ids import Json, sha256_file, sha256_json
from llm2llm.params.teacher_vllm import VllmParams, is_folder, model_problem

_WEIGHTS = frozenset({".safetensors"})
# vLLM reads these only where a folder has no safetensors.
_OTHER_WEIGHTS = frozenset({".bin", ".pt"})
# Configuration, tokenizer and chat template in all their forms, and code that comes with a model.
_SMALL = frozenset({".jinja", ".json", ".model", ".py", ".tiktoken", ".txt"})


def name_model(params: VllmParams, section: str = "teacher_batch") -> dict[str, Json]:
    """Give model, revision and, of a folder without a revision, the hash of its files.

    The path to a folder is left out: elsewhere the same files give the same answers. Raises
    ParamsError where there is no such name.
    """
    problem = model_problem(params, section)
    if problem is not None:
        raise ParamsError(problem)
    if is_folder(params.model):
        folder = Path(params.model).resolve()
        digest = None if params.revision else folder_sha256(folder)
        return {"model": folder.name, "revision": params.revision, "sha256": digest}
    return {"model": params.model, "revision": params.revision, "sha256": None}


def folder_sha256(folder: Path) -> str:
    """Hash every file that vLLM may read of a model's folder: 1.7 GB in a CPU second."""
    files = [path for path in folder.iterdir() if path.is_file()]
    weights = _WEIGHTS if any(path.suffix in _WEIGHTS for path in files) else _OTHER_WEIGHTS
    read = [path for path in files if path.suffix in weights | _SMALL]
    return sha256_json({path.name: sha256_file(path) for path in read})
