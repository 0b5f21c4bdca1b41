"""Draw answers so that neither batch nor thread nor order changes one."""

from collections.abc import Sequence
from typing import Any


class Noise:
    """A logits processor: the likeliest token of scores / temperature + Gumbel noise is a draw.

    So greedy generation draws from the softmax at that temperature (Gumbel 1954). Each row has a
    generator of its own, where transformers' sampling shares one among rows and threads.
    """

    def __init__(self, random_seeds: Sequence[int], temperature: float) -> None:
        self._random_seeds = random_seeds
        self._temperature = temperature
        self._generators: list[Any] = []

    def __call__(self, _input_ids: Any, scores: Any) -> Any:
        """Add the noise of one step; -log of an exponential variable is Gumbel's."""
        import torch

        if not self._generators:
            self._generators = [
                torch.Generator(scores.device).manual_seed(number) for number in self._random_seeds
            ]
        scores = scores / self._temperature
        for row, generator in zip(scores, self._generators, strict=True):
            tiny = torch.finfo(row.dtype).tiny
            row -= torch.empty_like(row).exponential_(generator=generator).clamp_min_(tiny).log_()
        return scores

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with these rows alone, each with the generator that it had."""
        self._generators = [self._generators[row] for row in rows]
