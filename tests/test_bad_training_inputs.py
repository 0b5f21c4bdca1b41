"""Trainings that cannot go on: each says why, and what was complete before is still of use."""

import itertools
import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_student import (
    EXAMPLES,
    LABELED,
    a_classifier,
    a_training,
    make_base,
    make_encoder,
    make_tokenizer,
    train,
)

from llm2llm.exceptions import MachineError, StudentError
from llm2llm.student import making
from llm2llm.student.base import describe_embedded, describe_outside, write_base
from llm2llm.student.pretrained import load_base, load_classifier


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one base model for all tests here."""
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def copy(base: Path, tmp_path: Path) -> Path:
    """Copy the base model, to be broken."""
    shutil.copytree(base / "model", tmp_path / "copy" / "model")
    return tmp_path / "copy"


def described(folder: Path) -> Path:
    """Write base.json beside a changed model."""
    write_base(folder, describe_embedded(folder / "model"))
    return folder


def without_tokens(folder: Path, *names: str) -> Path:
    """Take special tokens away from a base model's tokenizer."""
    tokenizer = make_tokenizer()
    for name in names:
        setattr(tokenizer, name, None)
    tokenizer.save_pretrained(folder / "model")
    return described(folder)


def test_a_configuration_that_is_no_json_is_said(copy: Path) -> None:
    """A damaged config.json is a StudentError that names the model."""
    (copy / "model/config.json").write_text('{"model_type": "lla')
    with pytest.raises(StudentError, match="cannot be loaded as a causal language model"):
        load_base(described(copy))


def test_weights_cut_short_are_said(copy: Path) -> None:
    """A file that ends too early is refused when the base model is described."""
    path = copy / "model/model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StudentError, match="expected a complete safetensors file"):
        describe_outside(str(copy / "model"), None)


def test_weights_of_other_shapes_are_said(copy: Path) -> None:
    """A configuration that does not belong to the weights is refused."""
    path = copy / "model/config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"hidden_size": 64}))
    with pytest.raises(StudentError, match=r"other shapes than its config\.json says"):
        load_base(described(copy))


def test_a_base_that_is_gone_or_broken_since_is_said(base: Path, tmp_path: Path) -> None:
    """A training whose local base was whole at base-model names the folder and what to do."""
    folder = tmp_path / "outside"
    shutil.copytree(base / "model", folder)
    write_base(tmp_path / "described", describe_outside(str(folder), None))
    training = a_training(tmp_path / "described", n_updates=1)
    file = folder / "model.safetensors"
    weights = file.read_bytes()
    flipped = weights[:-1] + bytes([weights[-1] ^ 1])
    for content, message in (
        (flipped, r"changed after base-model ran; run `dvc repro --force base-model`"),
        (weights[:-100], "expected a complete safetensors file"),
        (None, r"found no tensors, expected \*\.safetensors"),
    ):
        file.unlink()
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(StudentError, match=message):
            train(training, tmp_path)
        file.write_bytes(weights)
    folder.rename(tmp_path / "away")
    with pytest.raises(StudentError, match=r"found no config\.json, expected a model's folder"):
        train(training, tmp_path)
    (tmp_path / "away").rename(folder)
    assert train(training, tmp_path).exists()


@pytest.mark.parametrize("kind", ["causal", "classifier"])
def test_weights_that_lack_a_tensor_are_said(tmp_path: Path, kind: str) -> None:
    """No part of a base model is silently drawn at random."""
    folder = make_base(tmp_path) if kind == "causal" else make_encoder(tmp_path)
    path = folder / "model/model.safetensors"
    tensors = load_file(path)
    gone = sorted(tensors)[len(tensors) // 2]
    save_file({n: t for n, t in tensors.items() if n != gone}, path, metadata={"format": "pt"})
    with pytest.raises(StudentError, match=r"found no weights for .*fetch the model again"):
        if kind == "causal":
            load_base(described(folder))
        else:
            load_classifier(described(folder), ["A", "B"])


def test_a_model_without_tokenizer_is_said(copy: Path) -> None:
    """Weights alone are no base model."""
    for path in (copy / "model").glob("token*"):
        path.unlink()
    with pytest.raises(StudentError, match="cannot be loaded as a causal"):
        load_base(described(copy))


def test_an_adapter_is_no_base_model(tmp_path: Path) -> None:
    """A folder with an adapter says that the model it was trained on is wanted."""
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(StudentError, match=r"found a LoRA adapter.*set `base_model\.model`"):
        describe_outside(str(tmp_path), None)


def test_a_tokenizer_without_end_token_is_said(copy: Path, tmp_path: Path) -> None:
    """A causal student cannot learn where to stop."""
    with pytest.raises(StudentError, match=r"no end token.*tokenizer_config\.json"):
        train(a_training(without_tokens(copy, "eos_token")), tmp_path)


def test_a_tokenizer_without_padding_token_trains(base: Path, copy: Path, tmp_path: Path) -> None:
    """Padding is masked, so the student is the one with a padding token."""
    lacking = train(a_training(without_tokens(copy, "pad_token"), epochs=1), tmp_path)
    whole = train(a_training(base, epochs=1), tmp_path)
    found, expected = (
        json.loads((student / "manifest.json").read_text())["checkpoint_sha256"]
        for student in (lacking, whole)
    )
    assert found == expected


def test_a_classifier_needs_neither_padding_nor_end_token(tmp_path: Path) -> None:
    """An encoder whose tokenizer has none of them is padded with a token that is masked."""
    folder = without_tokens(make_encoder(tmp_path / "e"), "pad_token", "eos_token", "bos_token")
    assert train(a_classifier(folder, epochs=1), tmp_path).exists()


@pytest.mark.parametrize("kind", ["causal", "classifier"])
def test_a_set_with_one_row_is_trained_on(base: Path, tmp_path: Path, kind: str) -> None:
    """One example makes one update in each epoch."""
    if kind == "causal":
        training = a_training(base, examples=[("a", "b")])
    else:
        training = a_classifier(make_encoder(tmp_path / "encoder"), examples=LABELED[:1])
    manifest = json.loads((train(training, tmp_path) / "manifest.json").read_text())
    assert (manifest["n_updates"], manifest["counts"]["examples"]) == (4, 1)


@pytest.mark.parametrize("describe", [a_training, a_classifier])
def test_an_empty_target_is_said(base: Path, tmp_path: Path, describe) -> None:
    """The message names the row."""
    with pytest.raises(StudentError, match="example 2 of 2 has an empty target"):
        train(describe(base, examples=[("a", "LOW"), ("c", " \n")]), tmp_path)


@pytest.mark.parametrize("describe", [a_training, a_classifier])
def test_a_set_without_rows_is_said(base: Path, tmp_path: Path, describe) -> None:
    """It is refused before anything is written."""
    with pytest.raises(StudentError, match="found no examples, expected one at least"):
        train(describe(base, examples=[]), tmp_path)
    assert not list(tmp_path.iterdir())


def test_rows_over_the_models_context_are_counted(base: Path, tmp_path: Path) -> None:
    """A row of more than 128 tokens is left out, whatever `max_tokens` allows."""
    examples = [*EXAMPLES, ("x" * 150, "y")]
    found = train(a_training(base, examples=examples, max_tokens=500, n_updates=1), tmp_path)
    manifest = json.loads((found / "manifest.json").read_text())
    assert (manifest["counts"]["examples_too_long"], manifest["max_tokens"]) == (1, 128)
    with pytest.raises(StudentError, match=r"all 1 examples are longer than 128.*longer context"):
        train(a_training(base, examples=examples[-1:]), tmp_path)


@pytest.mark.parametrize("describe", [a_training, a_classifier])
def test_lora_modules_that_match_nothing_are_said(tmp_path: Path, describe) -> None:
    """The param, what was found, and what would do."""
    folder = (make_base if describe is a_training else make_encoder)(tmp_path / "base")
    lora = describe(folder).params.lora.model_copy(update={"target_modules": ["nowhere"]})
    message = r"`train_iter\.lora\.target_modules`: found \['nowhere'\].*set `all-linear`"
    with pytest.raises(StudentError, match=message):
        train(describe(folder, method="lora", lora=lora), tmp_path)


def test_a_training_too_short_for_a_line_of_loss_is_checked(base: Path, tmp_path: Path) -> None:
    """Weights that the only update broke are found, though no loss told of it."""
    with pytest.raises(StudentError, match=r"expected a number; lower `train_iter\.learning_rate`"):
        train(a_training(base, n_updates=2, learning_rate=1e38, max_grad_norm=None), tmp_path)


def test_an_adapter_of_another_base_is_not_gone_on_from(base: Path, tmp_path: Path) -> None:
    """The digest of the base that an adapter was trained on decides."""
    other = make_base(tmp_path / "other", random_seed=1)
    adapter = train(a_training(other, method="lora", epochs=1), tmp_path)
    with pytest.raises(StudentError, match="expected one trained with the base model"):
        train(a_training(base, method="lora", continuous=True, start=adapter), tmp_path)


def test_out_of_memory_names_knobs_and_keeps_the_last_state(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The estimate and what lowers it are said; with memory again the training goes on."""
    training = a_training(base)
    clean = train(training, tmp_path / "clean")
    made = making.causal_collator
    n_batches = 0

    def hungry(model):
        collate = made(model)

        def one_too_many(items):
            nonlocal n_batches
            n_batches += 1
            if n_batches == 8:
                torch.empty(1 << 50)
            return collate(items)

        return one_too_many

    monkeypatch.setattr(making, "causal_collator", hungry)
    message = r"out of memory on cpu.*tokens takes about .* GiB; set .*micro_batch_size: 1`.*lora"
    with pytest.raises(MachineError, match=message):
        train(training, tmp_path / "short")
    (state,) = (tmp_path / "short").glob("work/*/states/checkpoint-*")
    assert state.name == "checkpoint-6"
    monkeypatch.setattr(making, "causal_collator", made)
    again = train(training, tmp_path / "short")
    for name in ("manifest.json", "model.safetensors"):
        assert (again / name).read_bytes() == (clean / name).read_bytes()


def test_a_model_too_large_to_load_is_said(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that ends while weights are read is told of as that of the model alone."""
    monkeypatch.setattr(making, "load_base", lambda *_, **__: torch.empty(1 << 50))
    message = (
        r"out of memory on cpu.*the model takes about .* GiB; set .*`train_iter\.method: lora`"
    )
    with pytest.raises(MachineError, match=message):
        train(a_training(base), tmp_path)


def test_a_loss_that_breaks_later_leaves_the_last_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The update is named; where the loss is a number again, the training goes on from there."""
    training = a_classifier(make_encoder(tmp_path / "encoder"))
    clean = train(training, tmp_path / "clean")
    made = making.class_loss
    calls = itertools.count(1)  # two in an update, one for each half

    def breaking(*arguments, **named):
        return made(*arguments, **named) * (float("nan") if next(calls) == 16 else 1)

    monkeypatch.setattr(making, "class_loss", breaking)
    with pytest.raises(StudentError, match=r"a loss of nan by step 8 of 16.*`train_iter\.learning"):
        train(training, tmp_path / "broken")
    (state,) = (tmp_path / "broken").glob("work/*/states/checkpoint-*")
    assert state.name == "checkpoint-6"
    monkeypatch.setattr(making, "class_loss", made)
    again = train(training, tmp_path / "broken")
    for name in ("manifest.json", "model.safetensors"):
        assert (again / name).read_bytes() == (clean / name).read_bytes()


def test_a_quantized_base_on_a_cpu_is_said(base: Path, tmp_path: Path) -> None:
    """QLoRA wants a GPU, and the message says so before weights are read."""
    from llm2llm.student import pretrained

    with pytest.raises(MachineError, match=r"`train_iter\.quantize`.*no GPU"):
        pretrained.load_base(base, quantize="nf4")
    with pytest.raises(StudentError, match=r"`train_iter\.quantize`.*no GPU"):
        train(a_training(base, method="lora", quantize="nf4"), tmp_path)


def test_gradient_checkpointing_trains_an_adapter(base: Path, tmp_path: Path) -> None:
    """Recomputed activations give the adapter of kept ones, but for rounding."""
    lora = a_training(base).params.lora.model_copy(update={"dropout": 0.0})
    students = [
        train(
            a_training(base, method="lora", lora=lora, n_updates=4, gradient_checkpointing=on),
            tmp_path,
        )
        for on in (False, True)
    ]
    kept, recomputed = (load_file(s / "adapter_model.safetensors") for s in students)
    assert any(tensor.abs().max() > 0 for name, tensor in recomputed.items() if "lora_B" in name)
    for name, tensor in kept.items():
        assert torch.allclose(tensor, recomputed[name], atol=1e-4), name
