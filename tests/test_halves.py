"""Halves: the gradient of the whole batch, whatever the threads do."""

import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny_student import FORMAT, a_training, make_base, train

from llm2llm.student import trainer_run
from llm2llm.student.collating import causal_collator
from llm2llm.student.formatting import Template
from llm2llm.student.halves import Halves, split
from llm2llm.student.pretrained import load_base

ROWS = [("question", "answer"), ("a", "b"), ("longer question", "c"), ("x", "ab"), ("q", "abcd")]


class _AtOnce(Executor):
    """Does what it is given in the calling thread."""

    def submit(self, function, /, *arguments, **options) -> Future:
        future: Future = Future()
        future.set_result(function(*arguments, **options))
        return future


class _Late(ThreadPoolExecutor):
    """Begins late, so that the other half is done first."""

    def submit(self, function, /, *arguments, **options) -> Future:
        def later():
            time.sleep(0.02)
            return function(*arguments, **options)

        return super().submit(later)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one base model for all tests here."""
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def thread() -> Iterator[Executor]:
    """Make one more thread."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def gradients(base: Path, pool: Executor | None, n_rows: int = 4) -> tuple[float, list]:
    """Compute loss and gradient of the second of two equal batches; without a pool as a whole."""
    model, tokenizer = load_base(base)
    model.train()
    rows = Template(FORMAT, tokenizer).encode(*zip(*ROWS[:n_rows], strict=True))
    batch = causal_collator(model)([rows])
    n_targets = (batch["labels"] != -100).sum()

    def loss_of(part):
        return model(**part, num_items_in_batch=n_targets).loss

    if pool is None:
        loss = loss_of(batch)
        loss.backward()
    else:
        halves = Halves(model, pool)
        halves.backward(batch, loss_of)
        model.zero_grad()
        loss = halves.backward(batch, loss_of)
    return loss.item(), [parameter.grad for parameter in model.parameters()]


@pytest.mark.parametrize("n_rows", [1, 2, 5])
def test_the_halves_add_up_to_the_whole(base: Path, thread: Executor, n_rows: int) -> None:
    """Loss and gradient are those of the whole batch but for rounding; odd rows are not lost."""
    loss, found = gradients(base, thread, n_rows)
    expected, wanted = gradients(base, None, n_rows)
    assert loss == pytest.approx(expected, rel=1e-5)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-6)


def test_what_the_threads_do_changes_no_bit(base: Path) -> None:
    """At the same time, one after the other, or the second half last: equal bits."""
    with ThreadPoolExecutor(1) as soon, _Late(1) as late:
        results = [gradients(base, pool) for pool in (soon, late, _AtOnce())]
    for loss, found in results[1:]:
        assert loss == results[0][0]
        assert all(torch.equal(a, b) for a, b in zip(found, results[0][1], strict=True))


def test_gradients_accumulate_over_batches(base: Path, thread: Executor) -> None:
    """A second backward pass adds to the first, as micro-batches need."""
    model = torch.nn.Linear(3, 1)
    batch = {"x": torch.ones(4, 3), "labels": torch.zeros(4, 1)}
    halves = Halves(model, thread)
    for _ in range(3):
        loss = halves.backward(batch, lambda part: (model(part["x"]) - part["labels"]).sum() / 4)
    assert not loss.requires_grad
    assert torch.allclose(model.weight.grad, torch.full((1, 3), 3.0))


def test_a_parameter_that_one_half_leaves_out_has_the_gradient_of_the_other(
    thread: Executor,
) -> None:
    """A part of a model that only some rows reach is trained by those; an unused one not at all."""
    parts = torch.nn.ModuleList([torch.nn.Linear(1, 1, bias=False) for _ in range(3)])
    halves = Halves(parts, thread)
    batch = {"x": torch.tensor([[0.0], [1.0]]), "labels": torch.zeros(2, 1)}
    for _ in range(2):
        parts.zero_grad()
        halves.backward(batch, lambda half: parts[int(half["x"][0, 0])](half["x"] + 1).sum())
    assert [part.weight.grad if part.weight.grad is None else part.weight.grad.item()
            for part in parts] == [1.0, 2.0, None]  # fmt: skip


def test_a_model_that_draws_takes_its_halves_in_turn() -> None:
    """With dropout nothing is given to the other thread, and equal seeds give equal gradients."""
    with ThreadPoolExecutor(1) as closed:
        pass  # it takes nothing more

    def gradient():
        torch.manual_seed(0)
        model = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Dropout(0.5))
        batch = {"x": torch.ones(4, 8), "labels": torch.zeros(4)}
        halves = Halves(model, closed)
        for _ in range(3):
            halves.backward(batch, lambda half: model(half["x"]).sum())
        return model[0].weight.grad

    assert torch.equal(gradient(), gradient())


def test_a_failure_in_either_half_is_raised(thread: Executor) -> None:
    """An exception of the other thread ends the step, as one of this thread does."""
    model = torch.nn.Linear(1, 1)
    halves = Halves(model, thread)
    batch = {"x": torch.tensor([[1.0], [2.0]]), "labels": torch.zeros(2, 1)}
    halves.backward(batch, lambda half: model(half["x"]).sum())

    def failing(half):
        if half["x"][0, 0] == 2:
            raise MemoryError("no more")
        return model(half["x"]).sum()

    with pytest.raises(MemoryError, match="no more"):
        halves.backward(batch, failing)


def test_a_batch_is_cut_by_rows() -> None:
    """Tensors are cut, all else is given to both halves; three rows are two and one."""
    batch = {"labels": torch.arange(3)[:, None], "logits_to_keep": 7}
    first, second = split(batch)
    assert (first["labels"].flatten().tolist(), first["logits_to_keep"]) == ([0, 1], 7)
    assert (second["labels"].flatten().tolist(), second["logits_to_keep"]) == ([2], 7)
    assert len(split({"labels": torch.arange(1)[:, None]})) == 1


@pytest.mark.parametrize("changes", [{}, {"micro_batch_size": 3}, {"method": "lora"}])
def test_a_training_in_halves_is_that_of_whole_batches(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict
) -> None:
    """The training step of transformers itself gives the same weights but for rounding."""
    lora = a_training(base).params.lora.model_copy(update={"dropout": 0.0})
    training = a_training(base, n_updates=6, lora=lora, **changes)
    halved = train(training, tmp_path / "halved")
    monkeypatch.setattr(trainer_run, "Halves", _Whole)
    whole = train(training, tmp_path / "whole")
    (mine,), (theirs,) = (list(folder.glob("*.safetensors")) for folder in (halved, whole))
    assert mine.read_bytes() != theirs.read_bytes()
    loaded = load_file(theirs)
    for name, tensor in load_file(mine).items():
        assert torch.allclose(tensor, loaded[name], atol=1e-4), name


class _Whole:
    """Computes a batch as transformers does."""

    def __init__(self, *_: object) -> None:
        pass

    def backward(self, batch, loss_of):
        loss = loss_of(batch)
        loss.backward()
        return loss.detach()
