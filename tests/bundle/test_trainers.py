"""The forms are taken by TRL, and by the readers of LLaMA-Factory and axolotl as they are."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from datasets import load_dataset
from tiny_student import make_tokenizer

_CHAT = (
    "{% for m in messages %}{{ '<' + m.role + '>' + m.content + '</s>' }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """Make a byte-level tokenizer with a chat template."""
    made = make_tokenizer()
    made.chat_template = _CHAT
    return made


@pytest.mark.parametrize("form", ["chat", "prompt_completion"])
def test_trl_takes_two_steps(
    bundle: Path, cache: Path, tmp_path: Path, tokenizer: Any, form: str
) -> None:
    """SFTTrainer trains on the file as it is: two updates with a finite loss, weights changed."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
        )
    )
    before = model.lm_head.weight.detach().clone()
    rows = load_dataset(
        "json", data_files=str(bundle / f"{form}.jsonl"), split="train", cache_dir=str(cache)
    )
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(tmp_path),
            max_steps=2,
            per_device_train_batch_size=2,
            learning_rate=0.01,
            report_to=[],
            use_cpu=True,
            bf16=False,
            save_strategy="no",
            logging_steps=1,
        ),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    done = trainer.train()
    assert done.global_step == 2
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2
    assert all(0 < loss < 20 for loss in losses)
    assert not torch.equal(before, model.lm_head.weight.detach())


@pytest.mark.parametrize("form", ["chat", "prompt_completion", "alpaca", "sharegpt"])
def test_llama_factory_reads_every_form(
    bundle: Path, cache: Path, pairs: list[tuple[str, str]], form: str
) -> None:
    """Its own loader, with the bundle's dataset_info.json, finds each prompt and its response."""
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list

    described = get_dataset_list([f"made-up_{form}"], str(bundle))[0]
    model = SimpleNamespace(cache_dir=str(cache), hf_hub_token=None)
    data = SimpleNamespace(
        dataset_dir=str(bundle),
        preprocessing_num_workers=None,
        streaming=False,
        max_samples=None,
        overwrite_cache=True,
        media_dir="",
    )
    training = SimpleNamespace(local_process_index=0, dataloader_num_workers=0)
    rows = _load_single_dataset(described, model, data, training)
    read = [(row["_prompt"], row["_response"]) for row in rows]
    assert read == [
        ([{"content": text, "role": "user"}], [{"content": target, "role": "assistant"}])
        for text, target in pairs
    ]


@pytest.mark.parametrize(
    ("form", "settings"),
    [
        ("chat", {}),
        (
            "sharegpt",
            {
                "field_messages": "conversations",
                "message_property_mappings": {"role": "from", "content": "value"},
            },
        ),
    ],
)
def test_axolotl_reads_conversations(
    bundle: Path,
    cache: Path,
    pairs: list[tuple[str, str]],
    tokenizer: Any,
    form: str,
    settings: dict[str, Any],
) -> None:
    """Its `chat_template` strategy finds both turns and trains on the target alone."""
    from axolotl.prompt_strategies import load
    from axolotl.utils.dict import DictDefault

    cfg = DictDefault({"sequence_len": 4096, "train_on_inputs": False})
    strategy = load("chat_template", tokenizer, cfg, {"type": "chat_template", **settings})
    rows = load_dataset(
        "json", data_files=str(bundle / f"{form}.jsonl"), split="train", cache_dir=str(cache)
    )
    for row, (text, target) in zip(rows, pairs, strict=True):
        tokens = strategy.tokenize_prompt(row)
        trained = [token for token in tokens["labels"] if token != -100]
        assert target in tokenizer.decode(trained)
        assert text not in tokenizer.decode(trained)
        assert text in tokenizer.decode(tokens["input_ids"])


def test_axolotl_reads_alpaca(
    bundle: Path, cache: Path, pairs: list[tuple[str, str]], tokenizer: Any
) -> None:
    """Its `alpaca` strategy puts the input under Instruction and trains on the target alone."""
    from axolotl.prompt_tokenizers import AlpacaPromptTokenizingStrategy
    from axolotl.prompters import AlpacaPrompter

    strategy = AlpacaPromptTokenizingStrategy(AlpacaPrompter(), tokenizer, False, 4096)
    path = str(bundle / "alpaca.jsonl")
    rows = load_dataset("json", data_files=path, split="train", cache_dir=str(cache))
    for row, (text, target) in zip(rows, pairs, strict=True):
        tokens = strategy.tokenize_prompt(row)
        trained = [token for token in tokens["labels"] if token != -100]
        assert target in tokenizer.decode(trained)
        assert "### Input" not in tokenizer.decode(tokens["input_ids"])
        assert f"### Instruction:\n{text}" in tokenizer.decode(tokens["input_ids"])
