"""See that rows which tell the same thing in two places tell it alike."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llm2llm.bundle import layout
from llm2llm.bundle.frames import collect, scan_all
from llm2llm.leakage.certificate import N_NEAREST

if TYPE_CHECKING:
    import polars as pl

_RIGHT = "right"


def verdicts(
    table: "Mapping[str, pl.LazyFrame]",
) -> "Iterator[tuple[Callable[[pl.Expr], pl.LazyFrame], str]]":
    """Give, for a part of the seeds, the errors that contradict the seeds' verdicts, and how."""
    import polars as pl

    before = pl.col("verdicts").list.head(pl.col("iteration"))
    is_right = (pl.element() == _RIGHT).cast(pl.UInt8)
    ever_right = before.list.contains(_RIGHT)
    since_right = before.list.reverse().list.eval(is_right).list.arg_max()
    n_wrong = 1 + pl.when(ever_right).then(since_right).otherwise(before.list.len())
    told = pl.col("verdicts").list.get(pl.col("iteration"), null_on_oob=True)
    wrong = {
        f"its verdict is not that of {layout.SEEDS}": pl.col("verdict").ne_missing(told),
        "its verdict is `right`, which is no error": pl.col("verdict") == _RIGHT,
        f"ever_right does not follow from the verdicts of {layout.SEEDS}": (
            pl.col("ever_right") != ever_right
        ),
        f"n_wrong_in_a_row does not follow from the verdicts of {layout.SEEDS}": (
            pl.col("n_wrong_in_a_row") != n_wrong
        ),
    }

    def rows(here: "pl.Expr", is_wrong: "pl.Expr") -> "pl.LazyFrame":
        seeds = table[layout.SEEDS].select("seed_id", "verdicts").filter(here)
        errors = table[layout.ERRORS].filter(here).join(seeds, on="seed_id")
        return errors.filter(is_wrong).select("seed_id", "iteration")

    for problem, is_wrong in wrong.items():
        yield partial(rows, is_wrong=is_wrong), problem


def not_right(seeds: "pl.LazyFrame") -> "pl.LazyFrame":
    """Name seed and iteration of each verdict that makes an error."""
    import polars as pl

    return (
        seeds.with_columns(iteration=pl.int_ranges(pl.col("verdicts").list.len(), dtype=pl.Int64))
        .explode("verdicts", "iteration")
        .filter(pl.col("verdicts") != _RIGHT)
        .select("seed_id", "iteration")
    )


def nearest_kept(folder: Path, iteration: int) -> list[dict[str, Any]]:
    """List an iteration's kept rows nearest to the test set, as its certificate must list them."""
    import polars as pl

    near = collect(
        scan_all(folder)[layout.KEPT]
        .filter(pl.col("iteration") == iteration)
        .select(
            "example_id",
            "nearest_test_id",
            rouge_l_f="nearest_test_score",
            score=pl.col("nearest_test_score").fill_null(0.0),
        )
        .top_k(N_NEAREST, by=["score", "example_id"], reverse=[False, True])
    )
    return list(
        near.sort(["score", "example_id"], descending=[True, False])
        .drop("score")
        .iter_rows(named=True)
    )
