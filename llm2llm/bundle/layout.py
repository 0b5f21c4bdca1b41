"""Which files a bundle has, and what each of them is."""

import re

from llm2llm.bundle.records import (
    ExportedDecision,
    ExportedError,
    ExportedKept,
    ExportedRejection,
    ExportedRequest,
    ExportedResponse,
    ExportedSeed,
)
from llm2llm.records.examples import Example

# Counts up when a reader of earlier bundles would misread a new one.
SCHEMA = 1

MANIFEST = "manifest.json"
CARD = "README.md"
CROISSANT = "croissant.json"
HISTORY = "history.json"
PARAMS = "params.json"
DATASET_INFO = "dataset_info.json"
DATASET = "dataset.parquet"
SEEDS = "lineage/seeds.parquet"
ERRORS = "lineage/errors.parquet"
REQUESTS = "lineage/requests.parquet"
RESPONSES = "lineage/responses.parquet"
KEPT = "lineage/kept.parquet"
REJECTED = "rejected.parquet"
REVIEW = "lineage/review.parquet"

TABLES: dict[str, type] = {
    DATASET: Example,
    SEEDS: ExportedSeed,
    ERRORS: ExportedError,
    REQUESTS: ExportedRequest,
    RESPONSES: ExportedResponse,
    KEPT: ExportedKept,
    REJECTED: ExportedRejection,
}

# In a bundle of which people reviewed examples there is one more.
ALL_TABLES: dict[str, type] = {**TABLES, REVIEW: ExportedDecision}

# The forms for training, by their names in `export.formats`.
FORMS = {
    "chat": "chat.jsonl",
    "prompt_completion": "prompt_completion.jsonl",
    "alpaca": "alpaca.jsonl",
    "sharegpt": "sharegpt.jsonl",
}


def certificate(iteration: int) -> str:
    """Name the leakage certificate of one iteration."""
    return f"certificates/{iteration}.json"


def belongs(name: str) -> bool:
    """Say whether a bundle may have a file of this name."""
    known = {MANIFEST, CARD, CROISSANT, HISTORY, PARAMS, DATASET_INFO, *ALL_TABLES, *FORMS.values()}
    return name in known or re.fullmatch(r"certificates/(0|[1-9]\d*)\.json", name) is not None


def beside(name: str) -> bool:
    """Say whether a Hub, its client or git lays a file of this name beside what it brings."""
    return name == ".gitattributes" or name.startswith((".git/", ".cache/huggingface/"))
