"""Take out of what screening kept what was withdrawn since."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from llm2llm.exclusions import WITHDRAWN, Withdrawals
from llm2llm.ids import Json
from llm2llm.leakage.certificate import nearest_kept
from llm2llm.params.exclude import Exclusion
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected
from llm2llm.screening import Screened


def withdraw(
    screened: Screened, responses: Sequence[Response], entries: Sequence[Exclusion]
) -> Screened:
    """Reject what is withdrawn of what was kept; without entries give back what came.

    Last of all, so that a near-duplicate of what is withdrawn stays rejected too.
    """
    if not entries:
        return screened
    wanted = Withdrawals(entries)
    by_id = {response.request_id: response for response in responses}
    positions = _positions(screened)
    kept: list[Kept] = []
    rejected = list(screened.rejected)
    for row, position in zip(screened.kept, positions, strict=True):
        place = wanted.of_kept(row, by_id[row.request_id])
        if place is None:
            kept.append(row)
        else:
            rejected.append(_rejected(row, position, entries[place]))
    if len(kept) == len(screened.kept):
        return screened
    order = {request_id: place for place, request_id in enumerate(by_id)}
    rejected.sort(key=lambda row: (order[row.request_id], row.position))
    return Screened(kept, rejected, _certificate(screened.certificate, kept, rejected))


def _positions(screened: Screened) -> list[int]:
    """Say where in its response each kept candidate stood: in the gaps between rejected ones."""
    taken: dict[str, set[int]] = defaultdict(set)
    for row in screened.rejected:
        taken[row.request_id].add(row.position)
    found = []
    for kept in screened.kept:
        used = taken[kept.request_id]
        position = next(place for place in range(len(used) + 1) if place not in used)
        used.add(position)
        found.append(position)
    return found


def _rejected(row: Kept, position: int, entry: Exclusion) -> Rejected:
    near = entry.test_item is not None
    return Rejected(
        request_id=row.request_id,
        seed_id=row.seed_id,
        position=position,
        input=row.input,
        target=row.target,
        gate=WITHDRAWN,
        reason=f"{entry.told}: {entry.reason}",
        reference_id=row.nearest_test_id if near else None,
        score=row.nearest_test_score if near else None,
        gate_version=row.gate_version,
    )


def _certificate(
    certificate: Mapping[str, Json], kept: Sequence[Kept], rejected: Sequence[Rejected]
) -> dict[str, Json]:
    """Count again; what the gates proved stands."""
    by_gate = Counter(row.gate for row in rejected)
    counts = certificate["counts"]
    assert isinstance(counts, dict)
    return {
        **certificate,
        "counts": {
            **counts,
            "kept": len(kept),
            "rejected_candidates": len(rejected) - by_gate["parse"],
            "rejected_by_gate": dict(sorted(by_gate.items())),
        },
        "nearest_kept": nearest_kept(kept),
    }
