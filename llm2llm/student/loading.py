"""A trained student, ready to answer."""

from pathlib import Path
from typing import Any

from llm2llm.exceptions import StudentError
from llm2llm.files import read_json
from llm2llm.student.base import load_base, read_base
from llm2llm.student.compute import importing, quiet


def load_student(student: Path, base_folder: Path, *, bf16: bool, device: str) -> tuple[Any, Any]:
    """Load model and tokenizer; an adapter is put on its base model.

    Raises StudentError where the student was trained from another base.
    """
    expected = read_json(student / "manifest.json")["base"]["digest"]
    base = read_base(base_folder)
    if base.digest != expected:
        raise StudentError(
            f"{student}: trained from a base model of digest {expected[:12]}, found"
            f" {base.digest[:12]} in {base_folder}; run `dvc repro`"
        )
    if (student / "adapter_config.json").exists():
        model, tokenizer = load_base(base_folder, bf16=bf16)
        model = _with_adapter(model, student)
    else:
        model, tokenizer = _load_whole(student, bf16)
    model.to(device)
    model.eval()
    return model, tokenizer


def _with_adapter(model: Any, student: Path) -> Any:
    with importing():
        from peft import PeftModel

    # Merged, the adapter costs nothing at each token.
    return PeftModel.from_pretrained(model, str(student)).merge_and_unload()


def _load_whole(student: Path, bf16: bool) -> tuple[Any, Any]:
    with importing():
        import torch
        import transformers
        from transformers import AutoModelForCausalLM, AutoTokenizer

    quiet(transformers)
    tokenizer = AutoTokenizer.from_pretrained(student, local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(
        student, dtype=torch.bfloat16 if bf16 else torch.float32, local_files_only=True
    )
    return model, tokenizer
