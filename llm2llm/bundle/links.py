"""See that every row of a bundle has its parents, and that none is there twice."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llm2llm.bundle import layout
from llm2llm.bundle.checks import Problem
from llm2llm.bundle.frames import collect, scan_all
from llm2llm.bundle.manifest import Manifest

if TYPE_CHECKING:
    import polars as pl

_N_SHOWN = 5

_KEYS = {
    layout.DATASET: ["example_id"],
    layout.SEEDS: ["seed_id"],
    layout.ERRORS: ["seed_id", "iteration"],
    layout.REQUESTS: ["request_id"],
    layout.RESPONSES: ["request_id"],
    layout.KEPT: ["example_id"],
}


def links(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Follow each example to its seed, error, request, response and screening, and back."""
    import polars as pl

    table = scan_all(folder)
    for name, key in _KEYS.items():
        doubled = table[name].group_by(key).len().filter(pl.col("len") > 1).select(key)
        yield from _named(name, doubled, "stands there more than once")
    is_seed = pl.col("origin") == "seed"
    examples = table[layout.DATASET].filter(~is_seed)
    held_seeds = table[layout.SEEDS].filter(pl.col("in_dataset"))
    seeds, errors = table[layout.SEEDS], table[layout.ERRORS]
    requests, responses = table[layout.REQUESTS], table[layout.RESPONSES]
    write = pl.col("purpose") == "write"
    answered = requests.filter(write).join(
        responses.filter(pl.col("status") == "answered"), on="request_id", how="semi"
    )
    held = table[layout.KEPT].filter(pl.col("in_dataset"))
    outcomes = pl.concat(
        [table[layout.KEPT].select("request_id"), table[layout.REJECTED].select("request_id")]
    )
    seed_rows = table[layout.DATASET].filter(is_seed)
    asked = errors.filter(pl.col("ask"))
    solved = requests.filter(pl.col("about").is_not_null()).select(
        "request_id", request_id_about="about"
    )
    yield from _orphans(layout.DATASET, table[layout.DATASET], seeds, ["seed_id"], "its seed")
    yield from _orphans(
        layout.SEEDS, held_seeds, seed_rows, ["seed_id"], f"its example in {layout.DATASET}"
    )
    yield from _orphans(layout.DATASET, seed_rows, held_seeds, ["seed_id"], "its row as a seed")
    yield from _orphans(
        layout.DATASET, examples, errors, ["seed_id", "iteration", "checkpoint"], "its error"
    )
    yield from _orphans(
        layout.DATASET,
        examples,
        answered,
        ["request_id", "seed_id", "iteration", "prompt_sha256"],
        "its answered request",
    )
    yield from _orphans(
        layout.DATASET,
        examples,
        responses,
        ["request_id", "teacher"],
        "the response of its teacher",
    )
    screened = ["example_id", "seed_id", "iteration", "request_id", "gate_version"]
    yield from _orphans(layout.DATASET, examples, held, screened, "its screening")
    yield from _orphans(layout.KEPT, held, examples, screened, "its example")
    yield from _orphans(layout.ERRORS, errors, seeds, ["seed_id"], "its seed")
    yield from _orphans(layout.REQUESTS, requests, asked, ["seed_id", "iteration"], "its error")
    yield from _orphans(layout.ERRORS, asked, requests, ["seed_id", "iteration"], "a request")
    yield from _orphans(layout.RESPONSES, responses, requests, ["request_id"], "its request")
    yield from _orphans(layout.REQUESTS, requests, responses, ["request_id"], "its response")
    outcome = ["request_id", "seed_id", "iteration"]
    yield from _orphans(layout.KEPT, table[layout.KEPT], answered, outcome, "its request")
    yield from _orphans(layout.REJECTED, table[layout.REJECTED], answered, outcome, "its request")
    yield from _orphans(layout.RESPONSES, answered, outcomes, ["request_id"], "an outcome")
    about = requests.filter(write).select(request_id_about="request_id")
    yield from _orphans(layout.REQUESTS, solved, about, ["request_id_about"], "what it is about")
    yield from _texts(examples, errors)
    yield from _left_out(table[layout.KEPT], manifest)


def _orphans(
    name: str, children: "pl.LazyFrame", parents: "pl.LazyFrame", key: Sequence[str], what: str
) -> Iterator[Problem]:
    missing = children.select(key).join(
        parents.select(key).unique(), on=list(key), how="anti", nulls_equal=True
    )
    yield from _named(name, missing, f"{what} is not in the bundle")


def _texts(examples: "pl.LazyFrame", errors: "pl.LazyFrame") -> Iterator[Problem]:
    """See that an example quotes the student's wrong answer as the error does."""
    import polars as pl

    key = ["seed_id", "iteration"]
    other = (
        examples.select("example_id", *key, "error")
        .join(errors.select(*key, "text"), on=key)
        .filter(pl.col("error").is_not_null() & pl.col("error").ne_missing(pl.col("text")))
        .select("example_id")
    )
    yield from _named(layout.DATASET, other, "its error is not that of the error's row")


def _left_out(kept: "pl.LazyFrame", manifest: Manifest) -> Iterator[Problem]:
    import polars as pl

    missing = (
        kept.filter(~pl.col("in_dataset"))
        .select("example_id")
        .filter(~pl.col("example_id").is_in([row.example_id for row in manifest.left_out]))
    )
    yield from _named(layout.KEPT, missing, "not in the dataset, and not listed as left out")


def _named(name: str, frame: "pl.LazyFrame", problem: str) -> Iterator[Problem]:
    found = collect(frame)
    if found.height == 0:
        return
    shown = [", ".join(str(value) for value in row) for row in found.head(_N_SHOWN).iter_rows()]
    more = f" and {found.height - _N_SHOWN} more" if found.height > _N_SHOWN else ""
    yield Problem(name, f"{'; '.join(sorted(shown))}{more}: {problem}")
