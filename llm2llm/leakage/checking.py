"""Check a stream of candidates against references, with the gates of screening."""

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from llm2llm.ids import Json, example_id
from llm2llm.leakage.certificate import N_NEAREST, Outcome, certify
from llm2llm.leakage.encoder import Encode
from llm2llm.leakage.gate import Text
from llm2llm.leakage.gates import REASONS, Flag, LeakageGates, build_gates
from llm2llm.leakage.normalize import spaced
from llm2llm.leakage.planted import Recall, check_planted
from llm2llm.leakage.rouge import RougeGate, RougeIndex
from llm2llm.leakage.sources import SourceRow
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.records.checked import CheckedKept, CheckedRejected
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import LeakagePolicy

_CHUNK = 4_096
_NEAR = 0.7  # kept candidates below are not near; looking further costs more than the check

Checked = CheckedKept | CheckedRejected


@dataclass(slots=True)
class Checker:
    """Gates that were built, tried and found whole, and what they have seen so far."""

    gates: LeakageGates
    recall: dict[str, Recall]
    references: list[SplitRow]
    index: RougeIndex
    policy: LeakagePolicy
    params: DedupeParams
    n_candidates: int = 0
    rejected_by_gate: Counter[str] = field(default_factory=Counter)
    nearest: list[tuple[float, int, int]] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        references: Iterable[SourceRow],
        clean: Iterable[SourceRow],
        policy: LeakagePolicy,
        params: DedupeParams,
        encoder: tuple[Encode, str] | None = None,
    ) -> "Checker":
        """Build the gates, calibrated on `clean` rows if there are enough of them."""
        test = [_split(row) for row in references]
        rest = [_split(row) for row in itertools.islice(clean, params.calibration_rows)]
        gates = build_gates(test, rest, [], policy, params, encoder)
        wordings = [g.gate for g in gates.gates if g.gate.name == "rouge"]
        index = (
            wordings[0].index
            if wordings and isinstance(wordings[0], RougeGate)
            else RougeIndex(spaced(row.input) for row in test)
        )
        recall = check_planted(gates, test, params.n_planted)
        return cls(gates, recall, test, index, policy, params)

    def check(
        self, candidates: Iterable[SourceRow], on_progress: Callable[[int], None]
    ) -> Iterator[Checked]:
        """Yield each candidate with its verdict, in order; some are in memory at a time."""
        source = iter(candidates)
        while chunk := list(itertools.islice(source, _CHUNK)):
            flags = self.gates.check([Text(row.text, "") for row in chunk])
            for row, flag in zip(chunk, flags, strict=True):
                yield self._checked(row, flag)
            self._remember([row for row, flag in zip(chunk, flags, strict=True) if not flag])
            self.n_candidates += len(chunk)
            on_progress(self.n_candidates)

    def certificate(self) -> dict[str, Json]:
        """Certify what was seen; call it when all candidates were taken."""
        n_rejected = sum(self.rejected_by_gate.values())
        nearest: list[Json] = [
            {
                "row": row,
                "reference_row": self.references[place].source_row,
                "rouge_l_f": -distance,
            }
            for distance, row, place in self.nearest
        ]
        outcome = Outcome(
            self.n_candidates,
            self.n_candidates - n_rejected,
            self.rejected_by_gate,
            nearest,
            duplicates=None,
        )
        return certify(self.gates, self.recall, self.references, self.policy, self.params, outcome)

    def _checked(self, row: SourceRow, flag: Flag | None) -> Checked:
        record = json.dumps(dict(row.record), ensure_ascii=False, default=str)
        record = record.encode("utf-8", "backslashreplace").decode()  # halves of surrogate pairs
        if flag is None:
            return CheckedKept(row.number, row.text, record)
        self.rejected_by_gate[flag.gate] += 1
        reference = self.references[flag.reference]
        return CheckedRejected(
            row.number,
            row.text,
            record,
            flag.gate,
            REASONS[flag.gate],
            reference.source_row,
            reference.input,
            flag.score,
        )

    def _remember(self, kept: Sequence[SourceRow]) -> None:
        matches = self.index.nearest([spaced(row.text) for row in kept], 0, _NEAR)
        found = [
            (-match.score, row.number, match.reference)
            for row, match in zip(kept, matches, strict=True)
            if match is not None
        ]
        self.nearest = sorted([*self.nearest, *found])[:N_NEAREST]


def _split(row: SourceRow) -> SplitRow:
    return SplitRow(example_id(row.text, ""), row.text, "", "", row.number)
