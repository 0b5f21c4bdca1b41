"""Which of a training's processes this is, and what they do in common."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """One of `n` processes that train together; the first one leads: it keeps and tells."""

    rank: int
    n: int

    @property
    def leads(self) -> bool:
        """Say whether this process writes what the training leaves behind."""
        return self.rank == 0

    def meet(self) -> None:
        """Wait until all are here."""
        if self.n > 1:
            import torch.distributed

            torch.distributed.barrier()

    def agreed(self, value: float, device: Any) -> float:
        """Give what the leader found, so that all decide alike; a group on GPUs sends by them."""
        if self.n == 1:
            return value
        import torch

        tensor = torch.tensor([value], dtype=torch.float64, device=device)
        torch.distributed.broadcast(tensor, src=0)
        return float(tensor[0])


ALONE = Place(0, 1)
