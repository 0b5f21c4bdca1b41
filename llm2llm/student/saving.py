"""A student's files, the same bytes for the same weights."""

import json
from pathlib import Path
from typing import Any

from llm2llm.files import write_json
from llm2llm.student.base import Base

_METADATA = {"format": "pt"}


def save_student(folder: Path, model: Any, tokenizer: Any) -> None:
    """Write full weights with configuration and tokenizer: a folder that loads by itself.

    Its generation_config.json ends answers where the student learned to, and asks for no more.
    """
    if model.can_generate():
        from transformers import GenerationConfig

        model.generation_config = GenerationConfig.from_model_config(model.config)
        model.generation_config.update(
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            use_cache=True,  # the Trainer turns it off
        )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _open_to_readers(folder)
    for path in sorted(folder.glob("*.json")):
        write_json(path, json.loads(path.read_text(encoding="utf-8")))


def save_adapter(folder: Path, model: Any, base: Base) -> None:
    """Write a LoRA adapter; weights, configuration and tokenizer of the base are not repeated.

    peft's own writer puts sets in arbitrary order into the configuration, and paths of this
    machine beside them.
    """
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    tensors = {name: t.contiguous().cpu() for name, t in get_peft_model_state_dict(model).items()}
    save_file(tensors, folder / "adapter_model.safetensors", metadata=_METADATA)
    _open_to_readers(folder)
    config = {
        name: sorted(value) if isinstance(value, set) else value
        for name, value in model.peft_config["default"].to_dict().items()
    }
    config |= {
        "base_model_name_or_path": base.model,
        "revision": base.revision,
        "inference_mode": True,
    }
    write_json(folder / "adapter_config.json", json.loads(json.dumps(config, sort_keys=True)))


def _open_to_readers(folder: Path) -> None:
    """Undo that safetensors lets only the owner read what it writes."""
    for path in folder.glob("*.safetensors"):
        path.chmod(0o644)
