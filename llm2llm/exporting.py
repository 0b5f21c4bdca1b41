"""Make the release bundle's rows: the set for training, the rejections without test texts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.exceptions import LeakageCheckError
from llm2llm.ids import canonical_json, example_id
from llm2llm.leakage.exact import find_leaked
from llm2llm.leakage.gate import Text
from llm2llm.leakage.normalize import exact_keys, words
from llm2llm.leakage.rouge import RougeGate
from llm2llm.records.examples import Example
from llm2llm.records.screened import Rejected
from llm2llm.records.split import SplitRow

# A test item inside a longer text counts from this many letters and digits on; shorter ones, such
# as a label or a number, stand in texts that have nothing to do with it.
_MIN_CONTAINED = 24


@dataclass(frozen=True, slots=True)
class ExportedRejection:
    """A rejected candidate as handed on; `candidate_id` is the content hash it would have had.

    `input`, `target` and `reason` are null where they are, or could quote, a test item or where
    the response held no candidate.
    """

    iteration: int
    candidate_id: str | None
    request_id: str
    seed_id: str
    position: int
    input: str | None
    target: str | None
    gate: str
    reason: str | None
    reference_id: str | None
    score: float | None
    gate_version: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A seed that is not handed on because its input is a test item's."""

    example_id: str
    test_id: str


class TestTexts:
    """The test set as what must not leave: equal, contained or closely rewritten texts."""

    __test__ = False  # no test case, whatever its name starts with

    def __init__(self, test: Sequence[SplitRow], below: float) -> None:
        """Index the test items; texts with a ROUGE-L F of `below` or more are withheld."""
        self._test = test
        self._below = below
        self._gate = RougeGate.of("rouge", [row.input for row in test], words, 0)
        self._ids = {row.example_id for row in test}
        # A target that several items share is a label, which says nothing about any of them.
        n_of_target = Counter(row.target for row in test)
        texts = [row.input for row in test] + [t for t, n in n_of_target.items() if n == 1]
        keys = {key for text in texts for key in exact_keys(text)}
        self._equal = {key for row in test for key in exact_keys(row.input)}
        self._contained = sorted(key for key in keys if len(key) >= _MIN_CONTAINED)

    def equal_items(self, examples: Sequence[Example]) -> dict[int, str]:
        """Name, by the example's place, the test items whose inputs are those of examples."""
        return dict(find_leaked([example.input for example in examples], self._test))

    def may_leave(self, rows: Sequence[Rejected]) -> list[bool]:
        """Say for each rejected candidate whether its text may be handed on."""
        nearest = self._gate.nearest([Text(row.input or "", "") for row in rows]) if rows else []
        return [
            row.input is not None
            and row.reference_id not in self._ids
            and (match is None or match.score < self._below)
            and not self._holds_test_text([row.input, row.target or "", row.reason])
            for row, match in zip(rows, nearest, strict=True)
        ]

    def _holds_test_text(self, texts: Sequence[str]) -> bool:
        found = {key for text in texts for key in exact_keys(text)}
        return not found.isdisjoint(self._equal) or any(
            part in key for key in found for part in self._contained
        )


def exported_examples(
    examples: Sequence[Example], texts: TestTexts
) -> tuple[list[Example], list[LeftOut]]:
    """Part the set into what is handed on, in its order, and seeds that are test items.

    Raises LeakageCheckError if an augmented example is one: screening should have stopped it.
    """
    handed_on, left_out = [], []
    equal = texts.equal_items(examples)
    for place, example in enumerate(examples):
        test_id = equal.get(place)
        if test_id is None:
            handed_on.append(example)
        elif example.origin == "seed":
            left_out.append(LeftOut(example.example_id, test_id))
        else:
            raise LeakageCheckError(
                f"example {example.example_id}: its input is that of test item {test_id}, although"
                f" gate version {example.gate_version} let it through; nothing is exported."
                " `dvc repro --force dedupe-against-test` screens again"
            )
    return handed_on, left_out


def exported_rejections(
    iteration: int, rejected: Sequence[Rejected], texts: TestTexts
) -> list[ExportedRejection]:
    """Turn one iteration's rejections into rows that may be handed on, in their order."""
    exported = []
    for row, with_text in zip(rejected, texts.may_leave(rejected), strict=True):
        parsed = row.input is not None and row.target is not None
        exported.append(
            ExportedRejection(
                iteration=iteration,
                candidate_id=example_id(row.input or "", row.target or "") if parsed else None,
                request_id=row.request_id,
                seed_id=row.seed_id,
                position=row.position,
                input=row.input if with_text else None,
                target=row.target if with_text else None,
                gate=row.gate,
                reason=row.reason if with_text else None,
                reference_id=row.reference_id,
                score=row.score,
                gate_version=row.gate_version,
            )
        )
    return exported


def chat_lines(examples: Sequence[Example]) -> str:
    """Write one JSON line for each example: the plain input as user, the target as assistant."""
    return "".join(
        canonical_json(
            {
                "example_id": example.example_id,
                "messages": [
                    {"role": "user", "content": example.input},
                    {"role": "assistant", "content": example.target},
                ],
            }
        )
        + "\n"
        for example in examples
    )
