"""What people decided, applied and counted while the bundle is written."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from llm2llm.bundle.records import ExportedDecision
from llm2llm.records.decisions import ACCEPT, EDIT, REJECT
from llm2llm.records.examples import Example
from llm2llm.reviewing.decisions import edited_id
from llm2llm.reviewing.edits import Reviewed

EDITED = "edited"
WITHDRAWN_TOO, NOT_IN_SET = "withdrawn", "not_in_set"


class Review:
    """The decisions of a project: each is applied, or counted as one that was not.

    `replaced` gathers the examples that are not handed on as they were; the texts of those, and
    of all that is accepted, come with `rows` once the set was gone through.
    """

    def __init__(self, given: Reviewed) -> None:
        self._given = given
        self._applied: list[Example] = []
        self._withdrawn: set[str] = set()
        self.replaced: set[str] = set()

    def note_withdrawn(self, example: Example) -> None:
        """Count a decision about what is withdrawn, which goes all the same."""
        if example.example_id in self._given.decisions:
            self._withdrawn.add(example.example_id)

    def of(self, example: Example) -> Example | None:
        """Give the example as it is handed on: itself, as it was edited, or null if rejected."""
        decision = self._given.decisions.get(example.example_id)
        if decision is None or example.origin == "seed":
            return example
        self._applied.append(example)
        if decision.decision == REJECT:
            self.replaced.add(example.example_id)
            return None
        if decision.input is None or decision.target is None:
            return example
        self.replaced.add(example.example_id)
        return replace(
            example,
            example_id=edited_id(decision) or "",
            origin=EDITED,
            input=decision.input,
            target=decision.target,
            gate_version=self._given.gate_version,
        )

    def rows(self) -> Iterator[tuple[Example, ExportedDecision]]:
        """Give each example as it was, and its decision as it goes into the lineage."""
        for example in self._applied:
            decision = self._given.decisions[example.example_id]
            kept = decision.decision not in (EDIT, REJECT)
            yield (
                example,
                ExportedDecision(
                    example_id=example.example_id,
                    iteration=example.iteration or 0,
                    seed_id=example.seed_id,
                    request_id=example.request_id or "",
                    decision=decision.decision,
                    edited_id=edited_id(decision),
                    gate_version=self._given.gate_version if decision.input is not None else None,
                    reviewer=decision.reviewer,
                    note=decision.note,
                    input=None if kept else example.input,
                    target=None if kept else example.target,
                    withheld=None,
                ),
            )

    def counts(self) -> dict[str, int]:
        """Count the decisions by what became of them; empty where there are none."""
        decisions = self._given.decisions
        if not decisions:
            return {}
        kinds = Counter(decisions[example.example_id].decision for example in self._applied)
        n_other = len(self._applied) + len(self._withdrawn)
        return {
            **{kind: kinds[kind] for kind in (ACCEPT, EDIT, REJECT)},
            WITHDRAWN_TOO: len(self._withdrawn),
            NOT_IN_SET: len(decisions) - n_other,
        }


def review_told(counts: Mapping[str, int]) -> str:
    """Tell the receivers of a bundle what was reviewed."""
    n_decided = counts[ACCEPT] + counts[EDIT] + counts[REJECT]
    n_unapplied = counts[WITHDRAWN_TOO] + counts[NOT_IN_SET]
    kinds = f"{counts[ACCEPT]} accepted, {counts[EDIT]} edited, {counts[REJECT]} rejected"
    return (
        f"People decided about {n_decided} of the examples that screening had kept: {kinds}. What"
        f" they edited went through the same checks again and has the origin `{EDITED}`; what they"
        " rejected is not in the dataset. Students of the run were trained on all of it as it was"
        f" before. {n_unapplied} more decisions are about what is withdrawn, or not in the set."
    )
