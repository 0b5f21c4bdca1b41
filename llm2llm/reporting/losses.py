"""The loss curves of the students, as their manifests tell them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.exceptions import DataError


@dataclass(frozen=True, slots=True)
class Curve:
    """Updates and losses of one training; `dev` are looks at the dev rows, where any were made."""

    train: Sequence[tuple[int, float]]
    dev: Sequence[tuple[int, float]]

    @property
    def first(self) -> float:
        """Give the loss at the start."""
        return self.train[0][1]

    @property
    def last(self) -> float:
        """Give the loss at the end."""
        return self.train[-1][1]


def curve(manifest: Mapping[str, Any], path: Path) -> Curve | None:
    """Read the curve in a manifest; null where none was recorded, DataError where it is none."""
    stopping = manifest.get("early_stopping") or {}
    try:
        train = [(int(e["update"]), float(e["loss"])) for e in manifest.get("losses") or []]
        dev = [(int(update), float(loss)) for update, loss in stopping.get("dev_losses") or []]
    except (KeyError, TypeError, ValueError, AttributeError) as failure:
        raise DataError(
            f"{path}: `losses` or `dev_losses` cannot be read ({failure!r}), expected updates with"
            " their losses; another version wrote it: `dvc repro --force` trains again"
        ) from None
    return Curve(train, dev) if train else None
