"""A Llama of 60,000 random weights that vLLM runs on a CPU."""

from pathlib import Path

from tiny_student import make_tokenizer

# A token of this model is a byte, so a prompt's length tells how it was rendered.
CHAT = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}[assistant] "
PLAIN = "{% for m in messages %}{{ m.content }}\n\n{% endfor %}"
# Random weights end a text late; the pattern makes it sure within `max_tokens`.
SCHEMA = {
    "type": "object",
    "properties": {
        "question": {"type": "string", "pattern": "^[A-Z][a-z ]{3,11}$"},
        "kind": {"enum": ["LOC", "NUM"]},
    },
    "required": ["question", "kind"],
    "additionalProperties": False,
}


def make_llama(folder: Path, chat_template: str | None, *, n_heads: int = 2) -> Path:
    """Write a model with a byte-level tokenizer; vLLM's attention wants heads of 32 at least."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = make_tokenizer()
    tokenizer.chat_template = chat_template
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=n_heads,
            max_position_embeddings=4096,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
