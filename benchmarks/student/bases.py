"""A base model like another, with random weights and a larger vocabulary."""

import shutil
from pathlib import Path

from llm2llm.student.base import describe_embedded, write_base
from llm2llm.student.compute import quiet


def with_vocabulary(base: Path, vocabulary: int, folder: Path) -> Path:
    """Write a base of so many token embeddings; its tokenizer goes on using the first of them."""
    import torch
    import transformers
    from transformers import AutoConfig, AutoModelForCausalLM

    quiet(transformers)
    shutil.copytree(base / "model", folder / "model")
    config = AutoConfig.from_pretrained(base / "model", local_files_only=True)
    config.vocab_size = vocabulary
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "model")
    write_base(folder, describe_embedded(folder / "model"))
    return folder
