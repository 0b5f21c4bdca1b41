"""Early stopping: the weights that did best on the dev rows, and when to give up."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.files import read_json, write_json
from llm2llm.student.processes.place import ALONE, Place

_HISTORY = "dev.json"
_BEST = "best.safetensors"


@dataclass(frozen=True, slots=True)
class Watched:
    """The dev rows as micro-batches; they are looked at every `every` updates."""

    batches: Sequence[Any]
    every: int
    patience: int


class Watch:
    """Look at the loss on the dev rows, and keep the best weights and all losses so far."""

    def __init__(
        self, model: Any, watched: Watched, collate: Any, loss: Any, place: Place = ALONE
    ) -> None:
        self._model = model
        self._watched = watched
        self._collate = collate
        self._loss = loss
        self._place = place
        self.losses: list[tuple[int, float]] = []
        self._best: dict[str, Any] = {}

    def is_due(self, step: int, last: int) -> bool:
        """Say whether to look after this update."""
        return step % self._watched.every == 0 or step == last

    def look(self, step: int) -> bool:
        """Compute the loss on the dev rows; say whether it did not fall for too long."""
        loss = self._place.agreed(
            mean_loss(
                self._model, [self._collate([batch]) for batch in self._watched.batches], self._loss
            ),
            self._model.device,
        )
        if not self.losses or loss < min(loss for _, loss in self.losses):
            self._best = {
                name: tensor.detach().clone().cpu() for name, tensor in _trained(self._model)
            }
        self.losses.append((step, loss))
        return len(self.losses) - 1 - self._best_index() >= self._watched.patience

    def best_update(self) -> int:
        """Name the update after which the loss was lowest."""
        return self.losses[self._best_index()][0]

    def use_best(self) -> None:
        """Put the best weights back into the model."""
        import torch

        with torch.no_grad():
            for name, tensor in _trained(self._model):
                tensor.copy_(self._best[name])

    def write(self, state: Path) -> None:
        """Write what was seen so far into a training state."""
        from safetensors.torch import save_file

        if self._best:
            save_file(self._best, state / _BEST)
        write_json(state / _HISTORY, [list(entry) for entry in self.losses])

    def read(self, state: Path) -> None:
        """Go on from a training state."""
        from safetensors.torch import load_file

        self.losses = [(step, loss) for step, loss in read_json(state / _HISTORY)]
        self._best = load_file(state / _BEST) if self.losses else {}

    def _best_index(self) -> int:
        losses = [loss for _, loss in self.losses]
        return losses.index(min(losses))


def mean_loss(model: Any, batches: Sequence[Any], loss: Callable[..., Any] | None) -> float:
    """Average the loss over the targets of all batches, without dropout or gradients."""
    import torch

    from llm2llm.student.formatting import IGNORED

    total, n_targets = 0.0, 0
    model.eval()
    with torch.no_grad():
        for batch in batches:
            inputs = {
                name: value.to(model.device) if hasattr(value, "to") else value
                for name, value in batch.items()
            }
            labels = inputs["labels"]
            if loss is not None:
                del inputs["labels"]
                n = int(labels.ne(IGNORED).sum())
                total += float(loss(model(**inputs), labels, n)) * n
            else:
                # A causal model predicts each label from the token before it.
                n = int(labels[:, 1:].ne(IGNORED).sum())
                total += float(model(**inputs).loss) * n
            n_targets += n
    model.train()
    return total / n_targets


def _trained(model: Any) -> list[tuple[str, Any]]:
    return [(name, tensor) for name, tensor in model.named_parameters() if tensor.requires_grad]
