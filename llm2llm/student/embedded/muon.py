"""Muon (Jordan et al. 2024): momentum whose matrices are made orthogonal before each update."""

from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of the quintic Newton-Schulz iteration, ibidem


class Muon:
    """Update hidden matrices; those of one shape are made orthogonal in one batch."""

    def __init__(self, matrices: Sequence["torch.Tensor"], momentum: float = 0.95) -> None:
        import torch

        self._matrices = matrices
        self._momentum = momentum
        self._groups: dict[tuple[int, ...], list[int]] = {}
        for i, matrix in enumerate(matrices):
            self._groups.setdefault(tuple(sorted(matrix.shape)), []).append(i)
        self._buffers = {
            shape: torch.zeros(len(group), *shape) for shape, group in self._groups.items()
        }

    def step(
        self, gradients: Sequence["torch.Tensor"], learning_rate: float, pool: Executor
    ) -> None:
        """Apply one update, given each matrix's gradient; the pool takes a shape at a time."""
        list(
            pool.map(lambda shape: self._step_group(shape, gradients, learning_rate), self._groups)
        )

    def _step_group(
        self, shape: tuple[int, ...], gradients: Sequence["torch.Tensor"], learning_rate: float
    ) -> None:
        import torch

        with torch.no_grad():
            group, buffer = self._groups[shape], self._buffers[shape]
            wide = [_wide(gradients[i]) for i in group]
            buffer.mul_(self._momentum).add_(torch.stack(wide))
            updates = orthogonalize(torch.stack(wide).add_(buffer, alpha=self._momentum))
            for i, update in zip(group, updates, strict=True):
                matrix = self._matrices[i]
                scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                _wide(matrix).add_(update, alpha=-learning_rate * scale)


def orthogonalize(matrices: "torch.Tensor", n_steps: int = 5) -> "torch.Tensor":
    """Move the singular values of a batch of wide matrices close to 1."""
    a, b, c = _COEFFICIENTS
    x = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(n_steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def _wide(matrix: "torch.Tensor") -> "torch.Tensor":
    return matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
