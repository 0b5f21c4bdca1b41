"""See that just those examples are missing that the manifest or a person's decision takes out."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from llm2llm.bundle import layout
from llm2llm.bundle.manifest import Manifest
from llm2llm.bundle.reviewed import replaced

if TYPE_CHECKING:
    import polars as pl

_COLUMNS = {
    "seed": "seed_id",
    "example": "example_id",
    "prompt": "prompt_sha256",
    "teacher": "teacher",
}


def missing_examples(
    table: "Mapping[str, pl.LazyFrame]", manifest: Manifest
) -> "Iterator[tuple[str, pl.LazyFrame, str]]":
    """Give file, rows and problem of what is missing, or there, against the manifest's word."""
    import polars as pl

    requests = table[layout.REQUESTS].select("request_id", "prompt_sha256")
    teachers = table[layout.RESPONSES].select("request_id", "teacher")
    traits = table[layout.KEPT].join(replaced(table), on="example_id", how="left")
    if any(entry.prompt is not None for entry in manifest.withdrawn):
        traits = traits.join(requests, on="request_id")
    if any(entry.teacher is not None for entry in manifest.withdrawn):
        traits = traits.join(teachers, on="request_id")
    gone = _is_withdrawn(manifest)
    other = pl.col("replaced").fill_null(value=False)
    left_out = pl.col("example_id").is_in([row.example_id for row in manifest.left_out])
    there = pl.col("in_dataset")
    yield (
        layout.KEPT,
        traits.filter(~there & ~left_out & ~gone & ~other).select("example_id"),
        "not in the dataset, and not listed as left out",
    )
    yield (
        layout.KEPT,
        traits.filter(there & other).select("example_id"),
        f"in the dataset as it was, and edited or rejected by {layout.REVIEW}",
    )
    if not manifest.withdrawn:
        return
    yield (
        layout.KEPT,
        traits.filter(there & gone).select("example_id"),
        "in the dataset, and withdrawn by the manifest",
    )
    seeds = [entry.seed for entry in manifest.withdrawn if entry.seed is not None]
    held = table[layout.SEEDS].filter(there & pl.col("seed_id").is_in(seeds))
    yield layout.SEEDS, held.select("seed_id"), "in the dataset, and withdrawn by the manifest"


def _is_withdrawn(manifest: Manifest) -> "pl.Expr":
    import polars as pl

    found = pl.lit(value=False)
    for entry in manifest.withdrawn:
        for kind, column in _COLUMNS.items():
            name = getattr(entry, kind)
            if name is not None:
                found = found | pl.col(column).eq_missing(pl.lit(name))
        if entry.test_item is not None:
            near = pl.col("nearest_test_id").eq_missing(pl.lit(entry.test_item))
            score = pl.col("nearest_test_score").fill_null(0.0)
            found = found | (near & (score >= (entry.above or 0.0)))
    return found
