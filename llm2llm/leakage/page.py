"""Write a certificate out for people, as Markdown; all of it comes from the certificate."""

from collections.abc import Mapping
from typing import Any


def readable(certificate: Mapping[str, Any]) -> str:
    """Say what was compared, with which cuts, what was found, and what was not checked."""
    test, counts = certificate["test_set"], certificate["counts"]
    lines = [
        "# Leakage certificate",
        "",
        f"{counts['candidates']} candidates were compared with all {test['n_items']} test items"
        f" (SHA-256 `{test['sha256']}`) by gates `{certificate['gate_version']}`.",
        f"{counts['kept']} were kept, {counts['rejected_candidates']} rejected; "
        f"{counts['unparsable_responses']} responses could not be read.",
        "",
        "## Gates, in order",
        "",
        "| gate | rejects from | how the cut came about | planted leaks found | rejected |",
        "|---|---|---|---|---|",
        *(_gate(gate, counts["rejected_by_gate"]) for gate in certificate["gates"]),
        "",
        f"Each gate found each of the {test['found_by_their_own_index']} test items by its own"
        " index.",
        *_judge(certificate.get("judge"), counts["rejected_by_gate"]),
        *_other_reasons(certificate),
        "",
        "## Kept candidates closest to the test set",
        "",
        *_nearest(certificate["nearest_kept"]),
        "",
        "## Not checked",
        "",
        *(f"- {gap}" for gap in certificate["not_checked"]),
    ]
    return "\n".join(lines) + "\n"


def _gate(gate: Mapping[str, Any], rejected: Mapping[str, int]) -> str:
    planted = gate["planted_leaks"]
    found = planted if isinstance(planted, str) else f"{planted['found']} of {planted['planted']}"
    return (
        f"| {gate['gate']} | {gate['rejected_from']:g} | {_origin(gate)} | {found} |"
        f" {rejected.get(gate['gate'], 0)} |"
    )


def _origin(gate: Mapping[str, Any]) -> str:
    seen = gate.get("calibration")
    if seen is None:
        return "equal is equal"
    if gate["cut_is"] == "default":
        return f"default: {seen['rows']} real rows, {seen['rows_needed']} needed to calibrate"
    return (
        f"flags {seen['share_flagged']:.2%} of {seen['rows']} real rows"
        f" ({seen['share_allowed']:.2%} allowed; between {seen['strictest']:g} and"
        f" {seen['loosest']:g})"
    )


def _judge(judge: Mapping[str, Any] | None, rejected: Mapping[str, int]) -> list[str]:
    if judge is None:
        return []
    settings, answers, planted = judge["settings"], judge["answers"], judge["planted_leaks"]
    found = planted if isinstance(planted, str) else f"{planted['found']} of {planted['planted']}"
    named = ", ".join(f"`{name}`" for name in judge["reported_models"]) or "none"
    return [
        "",
        "## Judge",
        "",
        f"Candidates with a cosine from {settings['asked_from']:g} up to the embedding gate's cut"
        f" of {judge['asked_up_to']:g} were put to `{settings['model']}` ({settings['backend']};"
        f" models as reported: {named}), each with up to {settings['test_items_each']} test"
        " items that it is so near to, by template"
        f" `{settings['template_version']}` (SHA-256 `{settings['template_sha256']}`).",
        f"Of {judge['asked']} it cleared {answers['no']}; {rejected.get('judge', 0)} were rejected:"
        f" {answers['yes']} called a test item, {answers['unclear']} without a clear no,"
        f" {answers['failed']} without an answer.",
        f"Planted leaks found: {found}. They are test items between other sentences, no"
        " paraphrases, which cannot be planted.",
    ]


def _other_reasons(certificate: Mapping[str, Any]) -> list[str]:
    names = {gate["gate"] for gate in certificate["gates"]} | {"judge"}
    others = {
        name: n
        for name, n in certificate["counts"]["rejected_by_gate"].items()
        if name not in names
    }
    told = [f"Rejected for other reasons: {', '.join(f'{n} {k}' for k, n in others.items())}."]
    compared = certificate["duplicates"]
    if compared is not None:
        told.append(
            f"Near-duplicates ({compared['score']} above {compared['rejected_above']:g}) were"
            f" looked for against {compared['against']}."
        )
    return ["", *(told if others else told[1:])]


def _nearest(rows: list[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return ["None."]
    names = list(rows[0])
    return [
        f"| {' | '.join(names)} |",
        f"|{'---|' * len(names)}",
        *(f"| {' | '.join(_cell(row[name]) for name in names)} |" for row in rows),
    ]


def _cell(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) else "-" if value is None else str(value)
