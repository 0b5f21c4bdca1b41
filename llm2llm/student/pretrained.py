"""The base model in memory: a language model, or an encoder with a new head of classes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llm2llm.exceptions import MachineError, StudentError
from llm2llm.student.base import read_base, weights_folder
from llm2llm.student.compute import importing, is_shortage, quiet

# Parts that a classifier may lack: they are new for the task, as the head is.
_NEW_PARTS = ("pooler.",)
# What architectures call these; they are trained whole, so they are never quantized.
_HEADS = ("classifier", "score", "pre_classifier", "pooler")


def load_base(
    base_folder: Path,
    *,
    bf16: bool = False,
    quantize: str | None = None,
    weights: Path | None = None,
) -> tuple[Any, Any]:
    """Load a causal model and its tokenizer, in fp32 or bf16 or quantized, ready for batches.

    `weights` names a folder to take instead of the base's: a student trained from it.
    """
    with importing():
        from transformers import AutoModelForCausalLM

    folder = weights or weights_folder(base_folder, read_base(base_folder))
    options = _quantized(quantize) if quantize else {}
    model, tokenizer, missing = _load(AutoModelForCausalLM, folder, bf16, options)
    if missing:
        raise _lacking(folder, missing)
    return model, tokenizer


def load_classifier(
    base_folder: Path, labels: Sequence[str], *, bf16: bool = False
) -> tuple[Any, Any]:
    """Load an encoder with a head of one logit for each label, and its tokenizer.

    The head is random: an adapter brings its own.
    """
    model, tokenizer, _ = new_classifier(base_folder, labels, bf16=bf16)
    return model, tokenizer


def new_classifier(
    base_folder: Path,
    labels: Sequence[str],
    *,
    bf16: bool = False,
    quantize: str | None = None,
    weights: Path | None = None,
) -> tuple[Any, Any, list[str]]:
    """Load an encoder with a head, its tokenizer, and the names of the new parts beside the head.

    What is new is drawn from torch's generator, which the caller seeds.
    """
    with importing():
        from transformers import AutoModelForSequenceClassification

    folder = weights or weights_folder(base_folder, read_base(base_folder))
    options = {
        **(_quantized(quantize, _HEADS) if quantize else {}),
        "num_labels": len(labels),
        "id2label": dict(enumerate(labels)),
        "label2id": {label: index for index, label in enumerate(labels)},
        # A base that was a classifier gets a head for these labels.
        "ignore_mismatched_sizes": True,
    }
    model, tokenizer, missing = _load(AutoModelForSequenceClassification, folder, bf16, options)
    inside = f"{model.base_model_prefix}."
    lacking = [name.removeprefix(inside) for name in missing if name.startswith(inside)]
    if not all(name.startswith(_NEW_PARTS) for name in lacking):
        raise _lacking(folder, lacking)
    # Decoders find a row's last token by it.
    model.config.pad_token_id = tokenizer.pad_token_id
    return model, tokenizer, sorted({name.split(".")[0] for name in lacking})


def context_of(model: Any) -> int | None:
    """Count the tokens that a row may have; null where the model sets no limit.

    RoBERTa's positions start behind its padding token's, so the first ones are not used.
    """
    context = getattr(model.config, "max_position_embeddings", None)
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None):
            return int(module.num_embeddings) - int(module.padding_idx) - 1
    return None if context is None else int(context)


def forget_generation(model: Any) -> None:
    """Drop what generation_config.json asks for: penalties, beams, least lengths, sampling.

    transformers takes from it all that a call of generate leaves open, and so a student's answers
    would not be its likeliest ones. With some of it transformers refuses to save the model, too.
    """
    if model.can_generate():
        from transformers import GenerationConfig

        model.generation_config = GenerationConfig()


def _load(
    kind: Any, folder: Path, bf16: bool, options: Mapping[str, Any]
) -> tuple[Any, Any, list[str]]:
    """Load model and tokenizer; give the names of the tensors that the files lack, too."""
    with importing():
        import torch
        import transformers
        from safetensors import SafetensorError
        from transformers import AutoTokenizer

    quiet(transformers)
    what = (
        "causal language model" if "CausalLM" in kind.__name__ else "model that can classify texts"
    )
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model, report = kind.from_pretrained(
            folder,
            dtype=torch.bfloat16 if bf16 else torch.float32,
            local_files_only=True,
            output_loading_info=True,
            **options,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as failure:
        if is_shortage(failure):
            raise
        told = _first_line(failure)
        if "ignore_mismatched_sizes" in told:  # transformers refers to a report, which is silenced
            told = "its weights have other shapes than its config.json says"
        raise StudentError(
            f"{folder}: cannot be loaded as a {what} ({told});"
            " check `base_model.model`, or fetch the model again"
        ) from None
    forget_generation(model)
    if tokenizer.pad_token_id is None:
        # Padding is masked wherever it appears, so any token will do.
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.convert_ids_to_tokens(0)
    return model, tokenizer, sorted(report["missing_keys"])


def _quantized(quantize: str, kept: Sequence[str] = ()) -> dict[str, Any]:
    """Ask for 4-bit weights, computed with in bf16 (QLoRA, Dettmers et al. 2023).

    `kept` names modules that stay as they are: transformers itself keeps a causal model's head.
    """
    import importlib.util

    import torch

    if not torch.cuda.is_available():
        raise MachineError(
            f"`train_iter.quantize`: found {quantize!r} and no GPU, expected null on a CPU; set"
            " null, or train where an NVIDIA GPU is"
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MachineError("bitsandbytes: not installed; run `pip install 'llm2llm[quantized]'`")
    from transformers import BitsAndBytesConfig

    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type=quantize,
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.bfloat16,
            llm_int8_skip_modules=list(kept) or None,
        ),
        # One process of several has another one than the first.
        "device_map": {"": torch.cuda.current_device()},
    }


def _lacking(folder: Path, names: Sequence[str]) -> StudentError:
    return StudentError(
        f"{folder}: found no weights for {', '.join(names[:3])}"
        + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        + ", expected all that its config.json speaks of; fetch the model again"
    )


def _first_line(failure: Exception) -> str:
    return str(failure).strip().split("\n")[0]
