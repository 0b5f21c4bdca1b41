"""Muon (Jordan et al. 2024): momentum whose matrices are made orthogonal before each update."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # quintic Newton-Schulz iteration of the Muon report


class Muon:
    """Update hidden matrices; those of one shape are made orthogonal in one batch."""

    def __init__(self, matrices: Iterable["torch.Tensor"], momentum: float = 0.95) -> None:
        import torch

        self._momentum = momentum
        self._groups: dict[tuple[int, int], list[torch.Tensor]] = {}
        for matrix in matrices:
            rows, columns = sorted(matrix.shape)
            self._groups.setdefault((rows, columns), []).append(matrix)
        self._buffers = {
            shape: torch.zeros(len(group), *shape) for shape, group in self._groups.items()
        }

    def step(self, gradients: dict["torch.Tensor", "torch.Tensor"], learning_rate: float) -> None:
        """Apply one update, given the gradient of each matrix."""
        import torch

        with torch.no_grad():
            for shape, group in self._groups.items():
                stacked = torch.stack([_flat(gradients[matrix]) for matrix in group])
                buffer = self._buffers[shape]
                buffer.mul_(self._momentum).add_(stacked)
                updates = orthogonalize(stacked.add_(buffer, alpha=self._momentum))
                for matrix, update in zip(group, updates, strict=True):
                    scale = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                    wide = matrix.shape[0] <= matrix.shape[1]
                    matrix.add_(update if wide else update.T, alpha=-learning_rate * scale)


def orthogonalize(matrices: "torch.Tensor", n_steps: int = 5) -> "torch.Tensor":
    """Move the singular values of a batch of wide matrices close to 1."""
    a, b, c = _COEFFICIENTS
    x = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(n_steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


def _flat(gradient: "torch.Tensor") -> "torch.Tensor":
    return gradient if gradient.shape[0] <= gradient.shape[1] else gradient.T
