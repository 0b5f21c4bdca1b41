"""LoRA adapters: put on a base model to be trained, a new one or an earlier student's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llm2llm.exceptions import StudentError
from llm2llm.params.train_iter import TrainIterParams

_TASK_TYPES = {"causal": "CAUSAL_LM", "classifier": "SEQ_CLS"}


def with_new_adapter(
    model: Any, params: TrainIterParams, random_seed: int, new_parts: Sequence[str] = ()
) -> Any:
    """Put a random adapter on the model; a classifier's head and `new_parts` are trained whole."""
    import torch
    from peft import LoraConfig, get_peft_model

    lora = params.lora
    torch.manual_seed(random_seed)
    try:
        return get_peft_model(
            model,
            LoraConfig(
                task_type=_TASK_TYPES[params.kind],
                r=lora.rank,
                lora_alpha=lora.alpha,
                lora_dropout=lora.dropout,
                target_modules=lora.target_modules,
                modules_to_save=list(new_parts) or None,
                exclude_modules=rf".*\b({'|'.join(new_parts)})\b.*" if new_parts else None,
            ),
        )
    except ValueError as failure:
        raise StudentError(
            f"`train_iter.lora.target_modules`: found {lora.target_modules!r}, which peft does not"
            f" take for this base model ({failure}); set `all-linear`, or modules that it has"
        ) from None


def with_earlier_adapter(model: Any, student: Path) -> Any:
    """Put the adapter of an earlier student on the model, to be trained on."""
    from peft import PeftModel

    adapted = PeftModel.from_pretrained(model, str(student), is_trainable=True)
    # peft asks the hub for a base model of this name at every state, if it is no folder.
    adapted.peft_config["default"].base_model_name_or_path = model.name_or_path
    return adapted


def ready_for_quantized(model: Any, params: TrainIterParams) -> Any:
    """Keep a quantized base frozen and its norms in fp32, as QLoRA does."""
    from peft import prepare_model_for_kbit_training

    return prepare_model_for_kbit_training(
        model, use_gradient_checkpointing=params.gradient_checkpointing
    )
