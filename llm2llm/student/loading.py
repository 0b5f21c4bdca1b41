"""A trained student, ready to answer."""

from pathlib import Path
from typing import Any

from llm2llm.exceptions import StudentError
from llm2llm.files import read_json
from llm2llm.student.base import read_base, weights_folder
from llm2llm.student.compute import importing, quiet
from llm2llm.student.pretrained import forget_generation, load_base, load_classifier

CAUSAL, CLASSIFIER = "causal", "classifier"


def student_kind(student: Path) -> str:
    """Say what kind of model a student is: causal or classifier."""
    return str(read_json(student / "manifest.json").get("kind", CAUSAL))


def student_labels(student: Path) -> list[str]:
    """Read the labels of a classifier, in the order of its logits."""
    return list(read_json(student / "manifest.json")["labels"])


def is_adapter(student: Path) -> bool:
    """Say whether a student is an adapter, which needs its base model's weights."""
    return (student / "adapter_config.json").exists()


def check_base(student: Path, base_folder: Path) -> None:
    """Raise StudentError where the student was trained from another base than this one."""
    expected = read_json(student / "manifest.json")["base"]["digest"]
    base = read_base(base_folder)
    if base.digest != expected:
        raise StudentError(
            f"{student}: trained from a base model of digest {expected[:12]}, found"
            f" {base.digest[:12]} in {base_folder}; run `dvc repro`"
        )


def files_of(student: Path, base_folder: Path) -> tuple[Path, Path | None]:
    """Find the folder of whole weights with their tokenizer, and the adapter's if there is one."""
    check_base(student, base_folder)
    if is_adapter(student):
        return weights_folder(base_folder, read_base(base_folder)), student
    return student, None


def load_student(student: Path, base_folder: Path, *, bf16: bool, device: str) -> tuple[Any, Any]:
    """Load model and tokenizer; an adapter is put on its base model.

    Raises StudentError where the student was trained from another base.
    """
    check_base(student, base_folder)
    if not is_adapter(student):
        model, tokenizer = _load_whole(student, bf16)
    else:
        if student_kind(student) == CLASSIFIER:
            model, tokenizer = load_classifier(base_folder, student_labels(student), bf16=bf16)
        else:
            model, tokenizer = load_base(base_folder, bf16=bf16)
        model = _with_adapter(model, student)
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
        from transformers import (
            AutoModelForCausalLM,
            AutoModelForSequenceClassification,
            AutoTokenizer,
        )

    quiet(transformers)
    classifies = student_kind(student) == CLASSIFIER
    kind = AutoModelForSequenceClassification if classifies else AutoModelForCausalLM
    tokenizer = AutoTokenizer.from_pretrained(student, local_files_only=True)
    model = kind.from_pretrained(
        student, dtype=torch.bfloat16 if bf16 else torch.float32, local_files_only=True
    )
    forget_generation(model)
    return model, tokenizer
