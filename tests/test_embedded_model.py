"""The embedded base model: made the same each time, and loadable by anyone."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from llm2llm.student.embedded.muon import orthogonalize
from llm2llm.student.embedded.pretraining import _loss, make_embedded_model
from llm2llm.student.embedded.products import fast_products

Make = Callable[..., Path]
N_TOKENS = 5_000


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Make a model with very little pretraining, once for each set of arguments."""
    made: dict[tuple[int, int, int], Path] = {}

    def call(random_seed: int = 1, threads: int = 1, attempt: int = 0) -> Path:
        arguments = (random_seed, threads, attempt)
        if arguments not in made:
            made[arguments] = tmp_path_factory.mktemp("model")
            make_embedded_model(
                made[arguments],
                random_seed=random_seed,
                n_tokens=N_TOKENS,
                threads=threads,
                on_progress=_ignore,
            )
        return made[arguments]

    return call


def _ignore(_done: int, _total: int) -> None:
    pass


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_equal_random_seeds_give_equal_bytes(make: Make) -> None:
    """The same random_seed gives the same files, with one thread or two."""
    files = _digests(make())
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(files)
    assert _digests(make(attempt=1)) == files
    assert _digests(make(threads=2)) == files


def test_another_random_seed_gives_another_model(make: Make) -> None:
    """The weights depend on random_seed, the tokenizer does not."""
    one, other = _digests(make()), _digests(make(random_seed=2))
    assert one["model.safetensors"] != other["model.safetensors"]
    assert one["tokenizer.json"] == other["tokenizer.json"]


def test_loads_as_any_causal_model(make: Make) -> None:
    """The folder alone is enough to load model and tokenizer, and the model can write."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(make())
    tokenizer = AutoTokenizer.from_pretrained(make())
    assert model.config.model_type == "llama"
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.max_position_embeddings >= 1024
    assert model.config.eos_token_id == tokenizer.eos_token_id
    ids = torch.tensor([tokenizer("Question: 1 + 1?\nAnswer: ")["input_ids"]])
    written = model.generate(input_ids=ids, max_new_tokens=3, do_sample=False)
    assert written.shape[1] > ids.shape[1]


def test_progress_and_threads(tmp_path: Path) -> None:
    """Progress counts up to its total, and torch's thread count is as it was."""
    import torch

    before = torch.get_num_threads()
    seen: list[tuple[int, int]] = []
    make_embedded_model(
        tmp_path,
        random_seed=1,
        n_tokens=N_TOKENS,
        threads=2,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    assert [done for done, _ in seen] == list(range(1, seen[0][1] + 1))
    assert torch.get_num_threads() == before


def test_pretraining_lowers_the_loss(tmp_path: Path) -> None:
    """Ten times the tokens leave a lower loss on a fixed text of the corpus."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    text = "Question: Start with 5. Add 3. What is the result?\nAnswer: It is <<5+3=8>>8.\n#### 8"
    losses = []
    for n_tokens in (2_000, 40_000):
        folder = tmp_path / str(n_tokens)
        make_embedded_model(
            folder, random_seed=1, n_tokens=n_tokens, threads=1, on_progress=_ignore
        )
        ids = torch.tensor([AutoTokenizer.from_pretrained(folder)(text)["input_ids"]])
        with torch.no_grad():
            model = AutoModelForCausalLM.from_pretrained(folder)
            losses.append(model(input_ids=ids, labels=ids).loss.item())
    assert losses[1] < losses[0] - 0.5


def test_orthogonalize_levels_singular_values() -> None:
    """Muon's updates have singular values near 1, from far apart ones."""
    import torch

    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(3, 16, 40, generator=generator) * torch.logspace(-1, 1, 16)[:, None]
    values = torch.linalg.svdvals(orthogonalize(matrices))
    assert values.min() > 0.3
    assert values.max() < 1.4


def test_the_loss_is_that_of_the_labels(make: Make) -> None:
    """Logits are made where there is a label only, and the loss is transformers' own."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(make())
    tokens = torch.randint(0, 1000, (3, 20), generator=torch.Generator().manual_seed(0))
    labels = tokens.clone()
    labels[0, 3:9] = labels[2, :5] = -100
    expected = model(input_ids=tokens, labels=labels).loss
    assert torch.allclose(_loss(model, tokens, labels), expected, rtol=1e-5)


def test_products_are_as_before_afterwards() -> None:
    """Which library multiplies is torch's own choice again after a failure too."""
    import torch

    before = torch.backends.mkldnn.matmul.fp32_precision
    with pytest.raises(MemoryError), fast_products():
        assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
        raise MemoryError
    assert torch.backends.mkldnn.matmul.fp32_precision == before
