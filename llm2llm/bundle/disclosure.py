"""What others will see of a bundle, for the person who is about to hand it on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.bundle import layout
from llm2llm.bundle.frames import collect, scan_all
from llm2llm.bundle.manifest import Manifest
from llm2llm.files import read_json


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Texts by kind, and what the owner declared of them; null: not declared.

    `errors`, `requests` and `responses` count those with their text. `teachers` gives the terms of
    each teacher's outputs by its name. `teacher_address` is the one in params.json, asked or not,
    as `judge_addresses` are. Of a review, `edited` counts what people wrote, `before` the texts
    that they edited or rejected, `notes` theirs; `withdrawals` are the reasons that the manifest
    gives.
    """

    seeds: int
    augmented: int
    errors: int
    requests: int
    responses: int
    rejected: int
    edited: int
    before: int
    notes: int
    reviewers: list[str]
    withdrawals: list[str]
    license: str | None
    seeds_source: str | None
    seeds_license: str | None
    teachers: dict[str, str | None]
    teacher_address: str | None
    judge_addresses: list[str]

    @property
    def undeclared(self) -> list[str]:
        """Name what nobody has declared."""
        told = {
            "license of the bundle": self.license,
            "source of the seeds": self.seeds_source,
            "license of the seeds": self.seeds_license,
            **{f"terms of {name}": terms for name, terms in self.teachers.items()},
        }
        return [name for name, value in told.items() if value is None]


def disclosure(folder: Path, manifest: Manifest) -> Disclosure:
    """Read from a bundle's manifest, params and dataset what it tells."""
    params = read_json(folder / layout.PARAMS)
    card = _part(_part(params, "export"), "card")
    if card.get("seeds_file") != _part(params, "subsample").get("train"):
        card = {}  # declared for other seeds; the bundle's card tells the same
    terms = _part(card, "teacher_terms")
    teachers = collect(scan_all(folder)[layout.DATASET].select("teacher").drop_nulls().unique())
    columns = ["input", "reviewer", "note"]
    review = collect(scan_all(folder)[layout.REVIEW].select(columns))
    counts = manifest.counts
    return Disclosure(
        seeds=counts.seeds,
        augmented=counts.augmented,
        errors=counts.errors - counts.errors_without_text,
        requests=counts.requests - counts.requests_without_text,
        responses=counts.responses - counts.responses_without_text,
        rejected=counts.rejected - counts.rejected_without_text,
        edited=counts.edited,
        before=len(review["input"].drop_nulls()),
        notes=len(review["note"].drop_nulls()),
        reviewers=sorted(review["reviewer"].drop_nulls().unique()),
        withdrawals=[entry.reason for entry in manifest.withdrawn],
        license=card.get("license"),
        seeds_source=card.get("seeds_source"),
        seeds_license=card.get("seeds_license"),
        teachers={name: terms.get(name) for name in sorted(teachers["teacher"])},
        teacher_address=_part(_part(params, "teacher_batch"), "openai").get("base_url"),
        judge_addresses=_judge_addresses(params),
    )


def _judge_addresses(params: Any) -> list[str]:
    judges = [_part(_part(params, name), "judge") for name in ("dedupe_against_test", "predict")]
    backends = ("openai", "openai_batch")
    found = [_part(judge, name).get("base_url") for judge in judges for name in backends]
    return sorted({address for address in found if isinstance(address, str)})


def _part(values: Any, name: str) -> dict[str, Any]:
    found = values.get(name) if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}
