"""Linear layers by oneDNN: the same function as torch's, in fp32, and only for a while."""

import pytest
import torch
from torch.nn import functional

from llm2llm.student.collating import causal_collator, class_collator
from llm2llm.student.formatting import Encoded
from llm2llm.student.linear import linear_by_onednn


@pytest.mark.parametrize("shape", [(16,), (5, 16), (2, 7, 16), (2, 3, 7, 16), (0, 16)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("trained", [True, False])
def test_values_and_gradients_are_torchs(shape, bias, trained):
    """Outputs and all gradients equal torch's own to fp32 rounding, also of frozen weights."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(16, 24, bias=bias).requires_grad_(trained)
    inputs = torch.randn(*shape, requires_grad=True)
    wanted = [inputs, *(p for p in layer.parameters() if p.requires_grad)]
    of_output = torch.randn(*shape[:-1], 24)

    expected = functional.linear(inputs, layer.weight, layer.bias)
    with linear_by_onednn(layer):
        found = layer(inputs)

    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(
        torch.autograd.grad(found, wanted, of_output),
        torch.autograd.grad(expected, wanted, of_output),
    )


@pytest.mark.parametrize(
    "view",
    [
        lambda hidden: hidden[:, 0],
        lambda hidden: hidden.transpose(0, 1),
        lambda hidden: hidden[:1].expand(4, -1, -1),
    ],
)
def test_views_and_a_layer_used_twice_are_torchs(view):
    """Strides of inputs and gradients are heeded, and both uses of a layer add to its gradient."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(16, 16)
    hidden = torch.randn(3, 5, 16, requires_grad=True)
    wanted = [hidden, *layer.parameters()]

    def gradients():
        return torch.autograd.grad(layer(torch.tanh(layer(view(hidden)))).sum(), wanted)

    expected = gradients()
    with linear_by_onednn(layer):
        torch.testing.assert_close(gradients(), expected, rtol=1e-4, atol=1e-5)


def test_a_frozen_layer_keeps_no_input():
    """As torch's own, so that LoRA on a frozen base takes no more memory."""
    layer = torch.nn.Linear(16, 24).requires_grad_(False)
    inputs = torch.randn(2, 16, requires_grad=True)
    with linear_by_onednn(layer):
        kept = layer(inputs).grad_fn.saved_tensors
    assert kept[0] is None
    assert kept[1].data_ptr() == layer.weight.data_ptr()


def test_products_keep_fp32():
    """A sum that bf16 or TF32 would lose is there."""
    layer = torch.nn.Linear(2, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, 1.0]])
    with linear_by_onednn(layer):
        found = layer(torch.tensor([[1.0, 2.0**-20]]))
    assert found.item() == 1.0 + 2.0**-20


def test_the_layers_are_used_and_let_go():
    """Inside the block oneDNN computes, and after it torch alone, an error included."""

    def name(layer):
        return type(layer(torch.ones(1, 4, requires_grad=True)).grad_fn).__name__

    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.ReLU())
    with linear_by_onednn(model):
        assert name(model[0]) == "_LinearBackward"
    assert name(model[0]) == "AddmmBackward0"
    with pytest.raises(KeyError), linear_by_onednn(model):
        raise KeyError
    assert "forward" not in vars(model[0])


def test_other_precisions_compute_as_they_did():
    """A layer in bf16 is torch's."""
    layer = torch.nn.Linear(4, 4).to(torch.bfloat16)
    inputs = torch.ones(1, 4, dtype=torch.bfloat16)
    with linear_by_onednn(layer):
        assert torch.equal(layer(inputs), functional.linear(inputs, layer.weight, layer.bias))


class _Config:
    max_position_embeddings = 21


class _Causal(torch.nn.Module):
    config = _Config()

    def forward(self, input_ids, labels):
        """Take what the collator makes."""


@pytest.mark.parametrize(("longest", "width"), [(3, 8), (8, 8), (9, 16), (18, 21), (21, 21)])
def test_widths_are_few(longest, width):
    """Rows are padded to a multiple of 8 tokens, and never beyond the model's context."""
    row = Encoded([1] * longest, 0)
    assert causal_collator(_Causal())([[row]])["input_ids"].shape == (1, width)


def test_a_classifiers_padding_is_masked():
    """Tokens that round a width up are none that the encoder may look at."""
    from llm2llm.student.classes import Labeled

    batch = class_collator(7, None)([[Labeled([1, 2, 3], 0)]])
    assert batch["input_ids"].tolist() == [[1, 2, 3, 7, 7, 7, 7, 7]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0, 0, 0, 0]]
