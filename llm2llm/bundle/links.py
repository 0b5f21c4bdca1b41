"""See that every row of a bundle has its parents, and that none is there twice.

Tables are compared a part at a time, parted by the hash of the first column of the key: rows that
belong together are in the same part, and a join holds few of them.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llm2llm.bundle import layout
from llm2llm.bundle.checks import Problem
from llm2llm.bundle.frames import collect, scan_all
from llm2llm.bundle.manifest import Manifest
from llm2llm.bundle.reviewed import parentage
from llm2llm.bundle.standing import not_right, verdicts
from llm2llm.bundle.withdrawn import missing_examples

if TYPE_CHECKING:
    import polars as pl

_N_SHOWN = 5
# [measured: 1,000,000 examples in one part 1,011 MB, in five 352 MB and 2.4 times the
# CPU time; more parts save nothing, as reading then takes the most memory]
_PART_ROWS = 200_000

_KEYS = {
    layout.DATASET: ["example_id"],
    layout.SEEDS: ["seed_id"],
    layout.ERRORS: ["seed_id", "iteration"],
    layout.REQUESTS: ["request_id"],
    layout.RESPONSES: ["request_id"],
    layout.KEPT: ["example_id"],
    layout.REVIEW: ["example_id"],
}


def links(folder: Path, manifest: Manifest) -> Iterator[Problem]:
    """Follow each example to its seed, error, request, response and screening, and back."""
    import polars as pl

    table = scan_all(folder)
    parted = _Parted(table)
    for name, key in _KEYS.items():
        yield from parted.doubled(name, table[name], key)
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
    yield from parted.orphans(layout.DATASET, table[layout.DATASET], seeds, ["seed_id"], "its seed")
    yield from parted.orphans(
        layout.SEEDS, held_seeds, seed_rows, ["seed_id"], f"its example in {layout.DATASET}"
    )
    yield from parted.orphans(
        layout.DATASET, seed_rows, held_seeds, ["seed_id"], "its row as a seed"
    )
    yield from parted.orphans(
        layout.DATASET, examples, errors, ["seed_id", "iteration", "checkpoint"], "its error"
    )
    yield from parted.orphans(
        layout.DATASET,
        examples,
        answered,
        ["request_id", "seed_id", "iteration", "prompt_sha256"],
        "its answered request",
    )
    yield from parted.orphans(
        layout.DATASET,
        examples,
        responses,
        ["request_id", "teacher"],
        "the response of its teacher",
    )
    screened = ["example_id", "seed_id", "iteration", "request_id", "gate_version"]
    as_written = examples.filter(pl.col("origin") == "augmented")
    yield from parted.orphans(layout.DATASET, as_written, held, screened, "its screening")
    yield from parted.orphans(layout.KEPT, held, as_written, screened, "its example")
    for name, children, parents, key, what in parentage(table, manifest):
        yield from parted.orphans(name, children, parents, key, what)
    yield from parted.orphans(layout.ERRORS, errors, seeds, ["seed_id"], "its seed")
    yield from parted.orphans(
        layout.REQUESTS, requests, asked, ["seed_id", "iteration"], "its error"
    )
    yield from parted.orphans(layout.ERRORS, asked, requests, ["seed_id", "iteration"], "a request")
    yield from parted.orphans(layout.RESPONSES, responses, requests, ["request_id"], "its request")
    yield from parted.orphans(layout.REQUESTS, requests, responses, ["request_id"], "its response")
    outcome = ["request_id", "seed_id", "iteration"]
    yield from parted.orphans(layout.KEPT, table[layout.KEPT], answered, outcome, "its request")
    yield from parted.orphans(
        layout.REJECTED, table[layout.REJECTED], answered, outcome, "its request"
    )
    yield from parted.orphans(layout.RESPONSES, answered, outcomes, ["request_id"], "an outcome")
    about = requests.filter(write).select(request_id_about="request_id")
    yield from parted.orphans(
        layout.REQUESTS, solved, about, ["request_id_about"], "what it is about"
    )
    yield from _nearest(parted, table)
    yield from parted.orphans(
        layout.SEEDS, not_right(seeds), errors, ["seed_id", "iteration"], "its error"
    )
    yield from parted.told_apart(examples, errors)
    yield from parted.contradicted(table)
    yield from parted.missing(table, manifest)


def _nearest(parted: "_Parted", table: "dict[str, pl.LazyFrame]") -> Iterator[Problem]:
    """See that each training example that screening names is a seed, or was kept."""
    import polars as pl

    known = pl.concat(
        [table[layout.SEEDS].select(id="seed_id"), table[layout.KEPT].select(id="example_id")]
    )
    near = table[layout.KEPT].select(id="nearest_train_id").drop_nulls()
    yield from parted.orphans(layout.KEPT, near, known, ["id"], "the training example it is near")
    doubles = table[layout.REJECTED].filter(pl.col("gate") == "duplicate")
    copied = doubles.select(id="reference_id").drop_nulls()
    yield from parted.orphans(layout.REJECTED, copied, known, ["id"], "what it is a copy of")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


class _Parted:
    """Comparisons of tables, a part at a time."""

    def __init__(self, table: "dict[str, pl.LazyFrame]") -> None:
        import polars as pl

        most = max(collect(frame.select(pl.len())).item() for frame in table.values())
        self._n_parts = 1 + most // _PART_ROWS

    def doubled(self, name: str, rows: "pl.LazyFrame", key: Sequence[str]) -> Iterator[Problem]:
        """Name keys that stand in a table more than once."""
        import polars as pl

        yield from self._named(
            name,
            key[0],
            lambda here: (
                rows.filter(here).group_by(key).len().filter(pl.col("len") > 1).select(key)
            ),
            "stands there more than once",
        )

    def orphans(
        self,
        name: str,
        children: "pl.LazyFrame",
        parents: "pl.LazyFrame",
        key: Sequence[str],
        what: str,
    ) -> Iterator[Problem]:
        """Name children without a parent of the same key."""
        yield from self._named(
            name,
            key[0],
            lambda here: (
                children.select(key)
                .filter(here)
                .join(
                    parents.select(key).filter(here).unique(),
                    on=list(key),
                    how="anti",
                    nulls_equal=True,
                )
            ),
            f"{what} is not in the bundle",
        )

    def told_apart(self, examples: "pl.LazyFrame", errors: "pl.LazyFrame") -> Iterator[Problem]:
        """See that an example quotes the student's wrong answer, or withholds it, as its error."""
        import polars as pl

        key = ["seed_id", "iteration"]
        quotes = examples.select("example_id", *key, "error")
        yield from self._named(
            layout.DATASET,
            key[0],
            lambda here: (
                quotes.filter(here)
                .join(errors.select(*key, "text", "text_sha256").filter(here), on=key)
                .filter(pl.col("error").ne_missing(pl.col("text")))
                # The error's text may be withheld where the quote is not.
                .filter(
                    pl.col("error")
                    .map_elements(_sha256, return_dtype=pl.String)
                    .ne_missing(pl.col("text_sha256"))
                )
                .select("example_id")
            ),
            "its error is not that of the error's row",
        )

    def contradicted(self, table: "dict[str, pl.LazyFrame]") -> Iterator[Problem]:
        """Name the errors that the seeds' verdicts contradict."""
        for wrong, problem in verdicts(table):
            yield from self._named(layout.ERRORS, "seed_id", wrong, problem)

    def missing(self, table: "dict[str, pl.LazyFrame]", manifest: Manifest) -> Iterator[Problem]:
        """Name what is handed on, or not, against the manifest's word."""
        for name, rows, problem in missing_examples(table, manifest):
            key = "seed_id" if name == layout.SEEDS else "example_id"
            yield from self._named(name, key, rows.filter, problem)

    def _named(
        self, name: str, column: str, wrong: "Callable[[pl.Expr], pl.LazyFrame]", problem: str
    ) -> Iterator[Problem]:
        import polars as pl

        shown: list[str] = []
        n = 0
        for k in range(self._n_parts):
            here = pl.col(column).hash() % self._n_parts == k
            found = collect(wrong(here))
            n += found.height
            left = _N_SHOWN - len(shown)
            shown += [", ".join(map(str, row)) for row in found.head(left).iter_rows()]
        if n:
            more = f" and {n - len(shown)} more" if n > len(shown) else ""
            yield Problem(name, f"{'; '.join(sorted(shown))}{more}: {problem}")
