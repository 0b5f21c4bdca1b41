"""What must not leave with a bundle: test items and, for private seeds, the seeds."""

from collections import Counter
from collections.abc import Iterable, Sequence

from llm2llm.exporting.contained import ContainedTexts
from llm2llm.leakage.coverage import CoverageGate
from llm2llm.leakage.exact import require_visible
from llm2llm.leakage.gate import Text
from llm2llm.leakage.normalize import words
from llm2llm.leakage.rouge import RougeGate
from llm2llm.records.screened import Rejected
from llm2llm.records.split import SplitRow

# For raw answers in which no candidate was found: withheld if they hold this share of a test
# item's n-grams, the defaults of the coverage gate.
_NGRAM_WORDS = 5
_COVERAGE = 0.5


class TestTexts:
    """The test set as what must not leave: equal, contained or closely rewritten texts."""

    __test__ = False  # no test case, whatever its name starts with

    def __init__(self, test: Sequence[SplitRow], below: float) -> None:
        """Index the test items; texts with a ROUGE-L F of `below` or more are withheld."""
        require_visible(test)
        inputs = [row.input for row in test]
        self._test = test
        self._below = below
        self._ids = {row.example_id for row in test}
        self._rouge = RougeGate.of("rouge", inputs, words, 0)
        self._coverage = CoverageGate.of(inputs, _NGRAM_WORDS)
        self._inputs = ContainedTexts(inputs)
        # A target that several items share is a label, which says nothing about any of them.
        n_of_target = Counter(row.target for row in test)
        self._texts = ContainedTexts(inputs, [t for t, n in n_of_target.items() if n == 1])

    def item_in(self, *texts: str) -> str | None:
        """Name the test item whose input one of the texts is or holds."""
        for text in texts:
            place = self._inputs.find(text)
            if place is not None:
                return self._test[place].example_id
        return None

    def told_by(self, *texts: str | None) -> bool:
        """Say whether a text is or holds a test item's input, or a target that no other has."""
        return any(text is not None and self._texts.find(text) is not None for text in texts)

    def rewritten_in(self, text: str) -> bool:
        """Say whether a text of any length holds much of a test item's wording."""
        match = self._coverage.nearest([Text(text, "")])[0]
        return match is not None and match.score >= _COVERAGE

    def may_leave(self, rows: Sequence[Rejected]) -> list[bool]:
        """Say for each rejected candidate whether its text may be handed on."""
        nearest = self._rouge.nearest([Text(row.input or "", "") for row in rows]) if rows else []
        return [
            row.input is not None
            and row.reference_id not in self._ids
            and (match is None or match.score < self._below)
            and not self.told_by(row.input, row.target, row.reason)
            for row, match in zip(rows, nearest, strict=True)
        ]


class SeedTexts:
    """Private seeds: none is handed on, nor an example that holds one."""

    def __init__(self, seeds: Iterable[tuple[str, str]]) -> None:
        """Index seeds, given as id and input."""
        pairs = list(seeds)
        self._ids = [name for name, _ in pairs]
        self._texts = ContainedTexts([text for _, text in pairs])

    def seed_in(self, *texts: str) -> str | None:
        """Name the seed whose input one of the texts is or holds."""
        for text in texts:
            place = self._texts.find(text)
            if place is not None:
                return self._ids[place]
        return None
