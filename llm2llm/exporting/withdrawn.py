"""What `export.exclude` withdraws of a set, noted and counted while the bundle is written."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm2llm.exclusions import Withdrawals
from llm2llm.params.exclude import Exclusion
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept


@dataclass(frozen=True, slots=True)
class _Near:
    nearest_test_id: str | None
    nearest_test_score: float | None


class Withdrawn:
    """Ids of what is withdrawn, and how many examples each entry withdrew.

    `requests` are those whose answers hold withdrawn texts; gathered by `note` and `takes`.
    """

    def __init__(self, entries: Sequence[Exclusion]) -> None:
        self.entries = entries
        self._wanted = Withdrawals(entries)
        self._near: dict[str, _Near] = {}
        self.n_by_entry: Counter[int] = Counter()
        self.seeds = self._wanted.ids("seed")
        self.prompts = self._wanted.ids("prompt")
        self.examples: set[str] = set()
        self.requests: set[str] = set()

    @property
    def test_items(self) -> frozenset[str]:
        """Name the test items whose neighbors are withdrawn."""
        return self._wanted.ids("test_item")

    def note_near(self, rows: Iterable[Kept]) -> None:
        """Remember which examples are nearest to one of the test items, before any is asked for."""
        for row in rows:
            if row.nearest_test_id in self.test_items:
                self._near[row.example_id] = _Near(row.nearest_test_id, row.nearest_test_score)

    def note_answers(self, rows: Iterable[Response]) -> None:
        """Remember the requests of a prompt or a teacher, kept examples or not."""
        teachers = self._wanted.ids("teacher")
        for row in rows:
            if row.prompt_sha256 in self.prompts or row.teacher in teachers:
                self.requests.add(row.request_id)

    @property
    def needs_answers(self) -> bool:
        """Say whether a prompt or a teacher is withdrawn."""
        return bool(self.prompts or self._wanted.ids("teacher"))

    def takes(self, example: Example) -> bool:
        """Say whether an example is withdrawn, and count it."""
        place = self._wanted.of(example, self._near.get(example.example_id))
        if place is None:
            return False
        self.n_by_entry[place] += 1
        self.examples.add(example.example_id)
        if example.request_id is not None:
            self.requests.add(example.request_id)
        return True

    @property
    def n(self) -> int:
        """Count the examples that are withdrawn."""
        return self.n_by_entry.total()


def without_empty_lists(params: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out exclusion lists without entries: who withdraws nothing has the bundle of before."""
    export = {key: value for key, value in params["export"].items() if key != "exclude" or value}
    found = {**params, "export": export}
    if not found["sets"]["exclude"]:
        del found["sets"]
    return found
