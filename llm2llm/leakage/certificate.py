"""Certify what the leakage check did, proved and left unchecked; ids and scores, no test text."""

from collections import Counter
from collections.abc import Mapping, Sequence

from llm2llm.ids import Json, sha256_json
from llm2llm.leakage.calibration import min_rows
from llm2llm.leakage.gates import CutGate, LeakageGates
from llm2llm.leakage.planted import Recall
from llm2llm.leakage.rouge import rouge_f_at
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import LeakagePolicy

_N_NEAREST = 10
_LENGTHS = (5, 10, 20, 40, 80)  # words for which the certificate spells the cut out


def certify(
    gates: LeakageGates,
    recall: Mapping[str, Recall],
    test: Sequence[SplitRow],
    policy: LeakagePolicy,
    params: DedupeParams,
    n_candidates: int,
    kept: Sequence[Kept],
    rejected: Sequence[Rejected],
) -> dict[str, Json]:
    """Build the certificate; equal inputs give equal certificates, as it holds no times."""
    by_gate = Counter(row.gate for row in rejected)
    n_unparsable = by_gate.get("parse", 0)
    return {
        "gate_version": gates.version(params.duplicate_cut),
        "gates": [_gate(cut_gate, params, recall) for cut_gate in gates.gates],
        "duplicates": {
            "against": "the whole set so far, and earlier candidates that are no duplicates",
            "score": "ROUGE-L F",
            "rejected_above": params.duplicate_cut,
        },
        "test_set": {
            "n_items": len(test),
            "sha256": sha256_json([row.example_id for row in test]),
            "found_by_their_own_index": len(test),
        },
        "counts": {
            "candidates": n_candidates,
            "unparsable_responses": n_unparsable,
            "kept": len(kept),
            "rejected_candidates": len(rejected) - n_unparsable,
            "rejected_by_gate": dict(sorted(by_gate.items())),
        },
        "nearest_kept": _nearest(kept),
        "not_checked": _not_checked(policy),
    }


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


def _nearest(kept: Sequence[Kept]) -> Json:
    ordered = sorted(kept, key=lambda row: (-(row.nearest_test_score or 0.0), row.example_id))
    return [
        {
            "example_id": row.example_id,
            "nearest_test_id": row.nearest_test_id,
            "rouge_l_f": row.nearest_test_score,
        }
        for row in ordered[:_N_NEAREST]
    ]


def _not_checked(policy: LeakagePolicy) -> Json:
    gaps = [
        "Paraphrases: a test item told in other words passes, as no gate compares meaning.",
        "Translations of test items into another language.",
        "Targets: only their n-grams are compared with test items' inputs; answers never are.",
        "What the teacher or the base model saw of the test set in their own training.",
    ]
    if policy.templated:
        gaps.append(
            "Other numbers and names: the task is declared templated, its seeds and test items "
            "come from the same templates, so the masked gate is off."
        )
    elif not policy.masked:
        gaps.append(
            "Other numbers and names: the task switches the masked gate off, as another name or "
            "number makes another item there."
        )
    return gaps
