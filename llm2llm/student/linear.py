"""Linear layers by oneDNN, for fp32 on a CPU: torch multiplies such matrices by MKL.

MKL leaves AVX-512 unused on AMD's CPUs. Measured on one thread of a Zen 5, 337 x 128 by 128 x 344:
105 GFLOP/s by MKL, 220 by oneDNN.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any


@contextmanager
def linear_by_onednn(model: Any) -> Iterator[None]:
    """Let oneDNN compute the model's linear layers, and their gradients, for a while.

    Products and sums stay in fp32. Layers of other types and other precisions, and builds of torch
    without oneDNN, compute as they did.
    """
    import torch

    layers = [each for each in model.modules() if type(each) is torch.nn.Linear]
    if not _is_there():
        layers = []
    for layer in layers:
        layer.forward = partial(_forward, layer)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # the class's is seen again


@cache
def _is_there() -> bool:
    import torch

    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def _forward(layer: Any, inputs: Any) -> Any:
    import torch

    weight = layer.weight
    fits = inputs.dtype == weight.dtype == torch.float32 and inputs.dim() > 1
    if not fits or not inputs.numel():
        return torch.nn.functional.linear(inputs, weight, layer.bias)
    return _function().apply(inputs, weight, layer.bias)


def _product(left: Any, right: Any, bias: Any = None) -> Any:
    """Multiply (n, k) by the transpose of (m, k)."""
    import torch

    return torch.ops.mkldnn._linear_pointwise(left, right, bias, "none", [], "")


@cache
def _function() -> Any:
    """Define the layer as autograd takes it, which needs torch."""
    import torch
    from torch.autograd.function import once_differentiable

    class _Linear(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, inputs: Any, weight: Any, bias: Any) -> Any:
            by_inputs, by_weight, _ = ctx.needs_input_grad
            # What a gradient takes; a frozen layer's input is kept for none.
            ctx.save_for_backward(inputs if by_weight else None, weight if by_inputs else None)
            return _product(inputs, weight, bias)

        @staticmethod
        @once_differentiable  # type: ignore[untyped-decorator]
        def backward(ctx: Any, of_output: Any) -> tuple[Any, Any, Any]:
            inputs, weight = ctx.saved_tensors
            rows = of_output.flatten(0, -2)
            needed = ctx.needs_input_grad
            return (
                _product(of_output, weight.t()) if needed[0] else None,
                _product(rows.t(), inputs.flatten(0, -2).t()) if needed[1] else None,
                rows.sum(0) if needed[2] else None,
            )

    return _Linear
