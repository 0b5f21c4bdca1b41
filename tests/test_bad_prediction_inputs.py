"""Predictions that cannot go on, and poor inputs that can: each says why, or answers."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_student import (
    EXAMPLES,
    FORMAT,
    LABELED,
    PREDICT,
    a_classifier,
    a_training,
    make_base,
    make_encoder,
    make_tokenizer,
    train,
)

from llm2llm.exceptions import MachineError, StudentError
from llm2llm.student import classifier_engine, transformers_engine
from llm2llm.student.base import describe_embedded, write_base
from llm2llm.student.generating import Generation
from llm2llm.student.handover import write_weights
from llm2llm.student.prediction import Asking, answers
from llm2llm.student.training_facts import Training


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Train an adapter; give its base and it."""
    base = make_base(tmp_path_factory.mktemp("base"))
    training = a_training(base, method="lora", n_updates=2)
    return base, train(training, tmp_path_factory.mktemp("causal"))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Train a classifier; give its base and it."""
    base = make_encoder(tmp_path_factory.mktemp("encoder"))
    return base, train(a_classifier(base, n_updates=2), tmp_path_factory.mktemp("classifier"))


def ask(base: Path, student: Path, store: Path, inputs: list[str]) -> list[Generation]:
    """Ask for greedy answers in batches of four."""
    params = PREDICT.model_copy(update={"max_new_tokens": 6})
    return answers(
        Asking(inputs, [], student, base, FORMAT, params, random_seed=1),
        store=store,
        set_default=lambda _name, _value: None,
        on_wait=lambda _: None,
        on_progress=lambda _: None,
    ).greedy


@pytest.mark.parametrize(
    ("kind", "engine"), [("causal", transformers_engine), ("classifier", classifier_engine)]
)
def test_out_of_memory_names_knob_and_estimate(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    engine: Any,
) -> None:
    """What the batch takes and what half of it would is said; with memory again all is answered."""
    base, student = request.getfixturevalue(kind)
    inputs = [text for text, _ in EXAMPLES[:6]]
    load = engine.load_student

    def hungry(*arguments: Any, **named: Any) -> Any:
        model, tokenizer = load(*arguments, **named)
        model.register_forward_pre_hook(lambda *_: torch.empty(1 << 50))
        return model, tokenizer

    monkeypatch.setattr(engine, "load_student", hungry)
    message = (
        r"out of memory on cpu .* a batch of [24] rows of up to \d+ tokens, which takes about .*"
        r", with half the rows about .* GiB; lower `predict\.batch_size`.*run `dvc repro`"
    )
    with pytest.raises(MachineError, match=message):
        ask(base, student, tmp_path, inputs)
    monkeypatch.setattr(engine, "load_student", load)
    assert len(ask(base, student, tmp_path, inputs)) == 6


@pytest.mark.parametrize("kind", ["causal", "classifier"])
def test_one_row_is_answered(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> None:
    """A split of one row is a batch of one."""
    base, student = request.getfixturevalue(kind)
    assert len(ask(base, student, tmp_path, ["a question"])) == 1


@pytest.mark.parametrize("describe", [a_training, a_classifier])
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_tokenizer_without_padding_token_answers(
    tmp_path: Path, describe: Any, method: str
) -> None:
    """Padding is masked, so a batch is answered as its rows alone."""
    folder = (make_base if describe is a_training else make_encoder)(tmp_path / "base")
    tokenizer = make_tokenizer()
    tokenizer.pad_token = None
    tokenizer.save_pretrained(folder / "model")
    write_base(folder, describe_embedded(folder / "model"))
    training: Training = describe(folder, method=method, n_updates=8)
    student = train(training, tmp_path)
    inputs = [text for text, _ in LABELED[:4]]
    together = ask(folder, student, tmp_path, inputs)
    assert together == [ask(folder, student, tmp_path, [text])[0] for text in inputs]


@pytest.mark.parametrize("merge", [False, True])
def test_an_adapter_of_another_base_is_not_handed_on(
    causal: tuple[Path, Path], tmp_path: Path, merge: bool
) -> None:
    """It is neither merged into, nor written to name, a base that it was not trained on."""
    other = make_base(tmp_path / "other", random_seed=1)
    (tmp_path / "out").mkdir()
    with pytest.raises(StudentError, match=r"trained from a base model of digest .*`dvc repro`"):
        write_weights(causal[1], other, tmp_path / "out", merge=merge)
    assert not list((tmp_path / "out").iterdir())
