"""Count the rows of a bundle, by iteration, by seed and by what became of them."""

from collections import Counter
from pathlib import Path
from typing import Any

from llm2llm.bundle import layout
from llm2llm.bundle.frames import collect, scan_all


class Tallies:
    """The numbers that the rows themselves give; ids of seeds are all that is kept of them."""

    def __init__(self, folder: Path) -> None:
        import polars as pl

        self._by: Counter[tuple[Any, ...]] = Counter()
        self.by_seed: Counter[tuple[str, str]] = Counter()
        table = scan_all(folder)
        self._count(table[layout.DATASET], "examples", ["origin"])
        self._count(table[layout.KEPT], "kept", ["iteration"])
        has_text = pl.col("withheld").is_null().alias("has_text")
        self._count(
            table[layout.REJECTED].with_columns(has_text), "rejected", ["iteration", "gate"]
        )
        for name, path in (
            ("rejected", layout.REJECTED),
            ("errors", layout.ERRORS),
            ("requests", layout.REQUESTS),
            ("responses", layout.RESPONSES),
        ):
            self._count(table[path].with_columns(has_text), f"{name}/text", ["has_text"])
        self._count(table[layout.ERRORS], "errors", ["iteration", "ask"])
        self._count(table[layout.REQUESTS], "requests", ["iteration", "purpose"])
        self._count(table[layout.RESPONSES], "responses", ["iteration", "status"])
        self._count(table[layout.SEEDS], "seeds", ["in_dataset"])
        self._count(table[layout.REVIEW], "decisions", ["decision"])
        write = table[layout.REQUESTS].filter(pl.col("purpose") == "write")
        for name, frame in (("requests", write), ("kept", table[layout.KEPT])):
            rows = collect(frame.group_by("seed_id").len())
            self.by_seed.update({(seed, name): n for seed, n in rows.iter_rows()})
        self.gate_versions = self._distinct(
            pl.concat(
                [
                    table[name].select("iteration", "gate_version")
                    for name in (layout.KEPT, layout.REJECTED)
                ]
            )
        )
        self._checkpoints = self._distinct(table[layout.ERRORS].select("iteration", "checkpoint"))
        tokens = {"prompt": "n_prompt_tokens", "completion": "n_completion_tokens"}
        sums = collect(
            table[layout.RESPONSES]
            .group_by("iteration")
            .agg(
                pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).alias(name)
                for name, column in tokens.items()
            )
        )
        self._tokens = {
            row["iteration"]: {name: row[name] for name in tokens}
            for row in sums.iter_rows(named=True)
        }

    def _count(self, frame: Any, name: str, keys: list[str]) -> None:
        for *key, n in collect(frame.group_by(keys).len()).iter_rows():
            self._by[(name, *key)] += n

    @staticmethod
    def _distinct(frame: Any) -> dict[int, set[str]]:
        found: dict[int, set[str]] = {}
        for iteration, value in collect(frame.unique()).iter_rows():
            found.setdefault(iteration, set()).add(value)
        return found

    def _sum(self, *start: Any) -> int:
        return sum(n for key, n in self._by.items() if key[: len(start)] == start)

    @property
    def n_examples(self) -> int:
        """Count the examples."""
        return self._sum("examples")

    @property
    def n_seeds(self) -> int:
        """Count the seeds, whether handed on or not."""
        return self._sum("seeds")

    @property
    def n_seeds_held(self) -> int:
        """Count the seeds that are handed on."""
        return self._sum("seeds", True)

    @property
    def decisions(self) -> dict[str, int]:
        """Count people's decisions by kind."""
        return {kind: self._sum("decisions", kind) for kind in ("accept", "edit", "reject")}

    def totals(self) -> dict[str, int]:
        """Count as the manifest does."""
        totals = {
            "examples": self.n_examples,
            "seeds": self._sum("examples", "seed"),
            "augmented": self._sum("examples", "augmented"),
            "edited": self._sum("examples", "edited"),
            "kept": self._sum("kept"),
        }
        for name in ("rejected", "errors", "requests", "responses"):
            totals[name] = self._sum(name)
            totals[f"{name}_without_text"] = self._sum(f"{name}/text", False)
        return totals

    def of(self, iteration: int) -> dict[str, Any]:
        """Count as history.json does, for one iteration."""
        rejected = {
            key[2]: n
            for key, n in sorted(self._by.items(), key=str)
            if key[:2] == ("rejected", iteration)
        }
        kept = self._sum("kept", iteration)
        no_tokens = {"prompt": None, "completion": None}
        return {
            "errors": self._sum("errors", iteration),
            "asked": self._sum("errors", iteration, True),
            "requests": self._sum("requests", iteration),
            "answered": self._sum("responses", iteration, "answered"),
            "failed": self._sum("responses", iteration, "failed"),
            "solves": self._sum("requests", iteration, "solve"),
            "candidates": kept + sum(rejected.values()) - rejected.get("parse", 0),
            "kept": kept,
            "rejected": rejected,
            "tokens": self._tokens.get(iteration, no_tokens),
            "checkpoints": self._checkpoints.get(iteration, set()),
        }
