"""What every gate against the test set is: something that finds the closest test item."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Text:
    """What a gate looks at: an input and, where a test item may hide in it, its target."""

    input: str
    target: str


@dataclass(frozen=True, slots=True)
class Match:
    """The closest test item, by its place in the test set, and how close it is (0 to 1)."""

    reference: int
    score: float


@dataclass(frozen=True, slots=True)
class Near:
    """The closest test items, each text of them once, and how many more are close enough."""

    matches: tuple[Match, ...]
    n_beyond: int


class Gate(Protocol):
    """A gate knows nothing of its cut: it only measures, and a test item measures 1.0."""

    @property
    def name(self) -> str:
        """Name the gate as rejected rows and the certificate do."""

    @property
    def settings(self) -> dict[str, int | str]:
        """Return what else decides its scores."""

    def nearest(self, texts: Sequence[Text], at_least: float) -> list[Match | None]:
        """Return the closest test item of each text, the first of equals, if it scores so much."""
