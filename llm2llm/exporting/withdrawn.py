"""What `export.exclude` withdraws of a set, noted and counted while the bundle is written."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm2llm.exclusions import WITHDRAWN, Withdrawals
from llm2llm.exporting.contained import MIN_CONTAINED, ContainedTexts, keys
from llm2llm.params.exclude import Exclusion
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected

# What ends a line of a message, or a message, in a request's JSON.
_LINE_ENDS = re.compile(r'\\n|(?<!\\)"')


@dataclass(frozen=True, slots=True)
class _Near:
    nearest_test_id: str | None
    nearest_test_score: float | None


class WithdrawnTexts:
    """The texts that are withdrawn, but for those that also stand in examples that stay.

    Whole inputs at any length; targets from the length on at which they say something, as a short
    one is a label or a number.
    """

    def __init__(
        self, gone: Iterable[tuple[str, str]] = (), staying: Iterable[tuple[str, str]] = ()
    ) -> None:
        """Index inputs and targets that are gone, less what those that are staying hold."""
        texts: dict[tuple[str, ...], str] = {}
        for text, target in gone:
            texts.setdefault(tuple(keys(text)), text)
            if _is_long(target):
                texts.setdefault(tuple(keys(target)), target)
        found = list(texts.values())
        if found:
            index = ContainedTexts(found)
            stay = {n for pair in staying for text in pair for n in index.find_all(text)}
            found = [text for n, text in enumerate(found) if n not in stay]
        self._any = bool(found)
        self._long = ContainedTexts([text for text in found if _is_long(text)])
        self._short = ContainedTexts([text for text in found if not _is_long(text)])

    def told_by(self, *texts: str | None) -> bool:
        """Say whether a text is a withdrawn one, or holds one that is long enough."""
        return self._any and any(
            text is not None and (self._short.find(text) is not None or self.inside(text))
            for text in texts
        )

    def inside(self, text: str) -> bool:
        """Say whether a text holds a withdrawn one that is long enough."""
        return self._any and self._long.find(text) is not None

    def in_request(self, request: str) -> bool:
        """Say whether a request, as JSON, tells a withdrawn text; a short one as a whole line."""
        return self._any and self.told_by(request, *_LINE_ENDS.split(request))


def _is_long(text: str) -> bool:
    return min(map(len, keys(text)), default=0) >= MIN_CONTAINED


class Withdrawn:
    """Ids and texts of what is withdrawn, and how many examples each entry withdrew.

    `requests` are those whose answers hold withdrawn texts; gathered by `note_answers` and `takes`.
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
        self.texts = WithdrawnTexts()

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

    def note_texts(
        self, examples: Callable[[], Iterable[Example]], rejected: Iterable[Rejected]
    ) -> None:
        """Remember the texts of a set that are withdrawn now, or were when it was screened.

        After `note_near`, and before any text is asked about.
        """
        gone = [(row.input or "", row.target or "") for row in rejected if row.gate == WITHDRAWN]
        gone += [(each.input, each.target) for each in examples() if self._goes(each)]
        staying = ((each.input, each.target) for each in examples() if not self._goes(each))
        self.texts = WithdrawnTexts(gone, staying)

    def _goes(self, example: Example) -> bool:
        return self._place(example) is not None

    def _place(self, example: Example) -> int | None:
        return self._wanted.of(example, self._near.get(example.example_id))

    @property
    def needs_answers(self) -> bool:
        """Say whether a prompt or a teacher is withdrawn."""
        return bool(self.prompts or self._wanted.ids("teacher"))

    def takes(self, example: Example) -> bool:
        """Say whether an example is withdrawn, and count it."""
        place = self._place(example)
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
