"""Look up what the entries of an exclusion list withdraw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from llm2llm.exceptions import DataError
from llm2llm.params.exclude import KINDS, Exclusion
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept

# The gate of what is taken out of a set, and why a text of it is withheld from a bundle.
WITHDRAWN = "withdrawn"


class Near(Protocol):
    """What knows the test item nearest to an example."""

    @property
    def nearest_test_id(self) -> str | None:
        """Name that item; null where there is none."""

    @property
    def nearest_test_score(self) -> float | None:
        """Give the score with it."""


@dataclass(frozen=True, slots=True)
class _By:
    """What an example can be withdrawn by, besides its nearest test item."""

    seed: str
    example: str
    prompt: str | None
    teacher: str | None


class Withdrawals:
    """All entries of one list, looked up by what they name."""

    def __init__(self, entries: Sequence[Exclusion]) -> None:
        self.entries = entries
        self._places: dict[str, dict[str, list[int]]] = {kind: {} for kind in KINDS}
        for place, entry in enumerate(entries):
            self._places[entry.kind].setdefault(entry.id, []).append(place)

    def ids(self, kind: str) -> frozenset[str]:
        """Name all that is withdrawn of a kind."""
        return frozenset(self._places[kind])

    def of(self, example: Example, near: Near | None) -> int | None:
        """Give the place of the first entry that withdraws an example of a set; null: it stays.

        `near` is what screening measured of an augmented one. Raises DataError where an entry names
        a seed as an example: its text would stay in what was asked about it.
        """
        if example.origin == "seed" and example.example_id in self._places["example"]:
            raise DataError(
                f"params.yaml: `exclude`: example {example.example_id} is a seed; write `seed:"
                f" {example.example_id}`, which withdraws what was written for it too"
            )
        found = _By(example.seed_id, example.example_id, example.prompt_sha256, example.teacher)
        return self._first(found, near)

    def of_kept(self, kept: Kept, response: Response) -> int | None:
        """Give the place of the first entry that withdraws a candidate; null: it stays."""
        by = _By(kept.seed_id, kept.example_id, response.prompt_sha256, response.teacher)
        return self._first(by, kept)

    def _first(self, by: _By, near: Near | None) -> int | None:
        places: list[int] = []
        for kind in ("seed", "example", "prompt", "teacher"):
            name = getattr(by, kind)
            if name is not None:
                places += self._places[kind].get(name, ())
        if near is not None and near.nearest_test_id is not None:
            score = near.nearest_test_score or 0.0
            for place in self._places["test_item"].get(near.nearest_test_id, ()):
                above = self.entries[place].above
                if above is None or score >= above:
                    places.append(place)
        return min(places, default=None)
