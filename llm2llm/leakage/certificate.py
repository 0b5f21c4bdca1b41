"""Certify what the leakage check did, proved and left unchecked; ids and scores, no test text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llm2llm.ids import Json, sha256_json
from llm2llm.leakage.calibration import min_rows
from llm2llm.leakage.gates import CutGate, LeakageGates
from llm2llm.leakage.planted import Recall
from llm2llm.leakage.rouge import rouge_f_at
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.records.screened import Kept
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import LeakagePolicy

N_NEAREST = 10
_GAPS = {
    "exact": "Copies of short test items in other case, punctuation or look-alike letters",
    "coverage": "Test items embedded in other text, or in targets",
    "rouge": "Test items with a few words changed",
    "masked": "Test items with other numbers and names",
    "duplicate": "Near-duplicates among the candidates, or of training rows",
}
_LENGTHS = (5, 10, 20, 40, 80)  # words for which the certificate spells the cut out


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the candidates; unparsable responses count by gate, not as candidates.

    `nearest` holds the kept ones closest to the test set; `duplicates` says what else they were
    compared with and from where on they were rejected, null where with nothing. `judge` says what
    became of those put to a judge, null without one.
    """

    n_candidates: int
    n_kept: int
    rejected_by_gate: Mapping[str, int]
    nearest: Sequence[Json]
    duplicates: Mapping[str, Json] | None
    judge: Mapping[str, Any] | None = None


def certify(
    gates: LeakageGates,
    recall: Mapping[str, Recall],
    test: Sequence[SplitRow],
    policy: LeakagePolicy,
    params: DedupeParams,
    outcome: Outcome,
) -> dict[str, Json]:
    """Build the certificate; equal inputs give equal certificates, as it holds no times."""
    n_unparsable = outcome.rejected_by_gate.get("parse", 0)
    judge = outcome.judge
    return {
        "gate_version": gates.version(duplicate_cut(params), judge["settings"] if judge else None),
        "gates": [_gate(cut_gate, params, recall) for cut_gate in gates.gates],
        **({"judge": {**judge, "asked_up_to": _embedding_cut(gates)}} if judge else {}),
        "duplicates": outcome.duplicates,
        "test_set": {
            "n_items": len(test),
            "sha256": sha256_json([row.example_id for row in test]),
            "found_by_their_own_index": len(test),
        },
        "counts": {
            "candidates": outcome.n_candidates,
            "unparsable_responses": n_unparsable,
            "kept": outcome.n_kept,
            "rejected_candidates": sum(outcome.rejected_by_gate.values()) - n_unparsable,
            "rejected_by_gate": dict(sorted(outcome.rejected_by_gate.items())),
        },
        "nearest_kept": outcome.nearest,
        "not_checked": _not_checked(policy, params, outcome),
    }


def duplicate_cut(params: DedupeParams) -> float:
    """Return the ROUGE-L F that a duplicate exceeds; none does where that gate is off."""
    return params.duplicate_cut if "duplicate" in params.gates else 1.0


def nearest_kept(kept: Sequence[Kept]) -> list[Json]:
    """List the kept candidates closest to the test set, by id and score."""
    ordered = sorted(kept, key=lambda row: (-(row.nearest_test_score or 0.0), row.example_id))
    return [
        {
            "example_id": row.example_id,
            "nearest_test_id": row.nearest_test_id,
            "rouge_l_f": row.nearest_test_score,
        }
        for row in ordered[:N_NEAREST]
    ]


def _embedding_cut(gates: LeakageGates) -> float | None:
    cuts = [each.cut.value for each in gates.gates if each.gate.name == "embedding"]
    return cuts[0] if cuts else None


def _gate(cut_gate: CutGate, params: DedupeParams, recall: Mapping[str, Recall]) -> Json:
    gate, cut = cut_gate.gate, cut_gate.cut
    planted = recall[gate.name]
    entry: dict[str, Json] = {
        "gate": gate.name,
        "settings": gate.settings,
        "rejected_from": cut.value,
        "cut_is": cut.source,
        "planted_leaks": {
            "planted": planted.n_planted,
            "found": planted.n_found,
            "recall": planted.n_found / planted.n_planted,
        }
        if planted.n_planted
        else "not applicable: the gate promises to find none of the test items, so rewritten",
    }
    if cut.source != "equality":
        entry["calibration"] = {
            "rows": cut.n_rows,
            "rows_needed": min_rows(params.flag_rate),
            "share_flagged": cut.share,
            "share_allowed": params.flag_rate,
            "strictest": getattr(params, gate.name).strictest,
            "loosest": params.loosest,
        }
    if "extra_words" in gate.settings:
        entry["rouge_l_f_by_words"] = {
            str(n): round(rouge_f_at(cut.value, n, params.extra_words), 4) for n in _LENGTHS
        }
    return entry


def _paraphrases(params: DedupeParams, outcome: Outcome) -> str:
    if "embedding" not in params.gates:
        return "Paraphrases: a test item told in other words passes, as no gate compares meaning."
    if outcome.judge is None or params.judging is None:
        return "Paraphrases that the embedding gate's encoder does not see as close to a test item."
    return (
        "Paraphrases that the embedding gate's encoder puts below"
        f" {params.judging.asked_from:g}, and those that the judge cleared: its word was taken, and"
        " how many paraphrases it finds is not known, as none can be planted."
    )


def _shown(outcome: Outcome) -> list[Json]:
    judge = outcome.judge
    if judge is None or not judge["asked"]:
        return []
    told: list[Json] = [
        f"What becomes of the {judge['test_items_shown']} test items that the judge's endpoint was"
        " shown beside candidates, and of those planted: its provider has seen them."
    ]
    if judge["pairs"]["not_asked"]:
        told.append(
            f"{judge['pairs']['not_asked']} pairs of a candidate and a test item within the judge's"
            f" band: it was asked about the {judge['settings']['test_items_each']} test items"
            " nearest to each candidate, and these are further down."
        )
    return told


def _not_checked(policy: LeakagePolicy, params: DedupeParams, outcome: Outcome) -> list[Json]:
    gaps: list[Json] = [
        _paraphrases(params, outcome),
        "Translations of test items into another language.",
        "Targets: only their n-grams are compared with test items' inputs; answers never are.",
        "What the teacher or the base model saw of the test set in their own training.",
        *_shown(outcome),
    ]
    if policy.templated:
        gaps.append(
            "Other numbers and names: the task is declared templated, its seeds and test items "
            "come from the same templates, so the masked gate is off."
        )
    elif not policy.masked:
        gaps.append(
            "Other numbers and names: the masked gate is off, as in this task another name or "
            "number makes another item."
        )
    gaps += [
        f"{gap}: the gate `{name}` is switched off in params.yaml."
        for name, gap in _GAPS.items()
        if name not in params.gates
    ]
    if params.judging is not None and outcome.judge is None:
        gaps.append("What the judge of params.yaml says of near candidates: it is not asked here.")
    if outcome.duplicates is None:
        gaps.append("Near-duplicates among the candidates themselves, or with training rows.")
    return gaps
