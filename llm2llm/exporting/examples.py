"""Part the set into what is handed on and what is left out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from llm2llm.exceptions import LeakageCheckError
from llm2llm.exporting.protected import SeedTexts, TestTexts
from llm2llm.exporting.reviewed import Review
from llm2llm.exporting.withdrawn import Withdrawn
from llm2llm.records.examples import Example


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An example that is not handed on, and the id of the test item or seed that it holds."""

    example_id: str
    holds: str


def handed_on(
    examples: Iterable[Example],
    test: TestTexts,
    private: SeedTexts | None,
    left_out: list[LeftOut],
    withdrawn: Withdrawn,
    review: Review,
) -> Iterator[Example]:
    """Give the examples that are handed on, in their order; others are added to `left_out`.

    What is `withdrawn`, or rejected in `review`, is counted there, and is no leak any more; errors
    that tell a withdrawn text are withheld. An edited example is looked at, and given, as it was
    edited. Seeds that are or hold a test item are left out. With `private` seeds all seeds are left
    out, unlisted, and listed augmented examples that hold one; errors are withheld. Raises
    LeakageCheckError if an augmented example is or holds a test item: screening should have stopped
    it.
    """
    for example in examples:
        # A private seed is not handed on anyway, and counted so.
        if (private is None or example.origin != "seed") and withdrawn.takes(example):
            review.note_withdrawn(example)
            continue
        as_reviewed = review.of(example)
        if as_reviewed is None:
            continue
        example = as_reviewed
        item = test.item_in(example.input, example.target)
        if item is not None and example.origin != "seed":
            raise LeakageCheckError(
                f"example {example.example_id}: it is or holds test item {item}, although gate"
                f" version {example.gate_version} let it through; nothing is exported."
                " `dvc repro --force dedupe-against-test` screens again"
            )
        if item is not None:
            left_out.append(LeftOut(example.example_id, item))
            continue
        if private is None:
            told = test.told_by(example.error) or withdrawn.texts.told_by(example.error)
            yield replace(example, error=None) if told else example
            continue
        if example.origin == "seed":
            continue
        seed = private.seed_in(example.input, example.target)
        if seed is not None:
            left_out.append(LeftOut(example.example_id, seed))
            continue
        yield replace(example, error=None)
