"""`llm2llm diff`: how two sets, runs or bundles differ."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm2llm.cli.tables import heading, percent, print_json, table

if TYPE_CHECKING:
    from llm2llm.lineage.comparing import Difference, Other
    from llm2llm.lineage.sides import Score

_N_SHOWN = 10
_SHOWN_CHARACTERS = 60


def diff(
    a: Annotated[str, typer.Argument(help="A set (3, data/sets/3), project or bundle folder.")],
    b: Annotated[str, typer.Argument(help="Another one, whose difference from A is told.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tell how B differs from A: examples added, removed, changed; params; accuracies.

    A project stands for its newest set. Changed: the same request brought another text.

    Example: llm2llm diff 2 data/export
    """
    # Here, as the commands' names must come up at once when a shell completes them.
    from llm2llm.lineage.comparing import compare

    found = compare(Path(), a, b)
    if json_:
        print_json(found)
        return
    _show(found)


def _show(found: "Difference") -> None:
    table(
        ["", "what", "set", "examples"],
        [
            [name, kind, number, n]
            for name, kind, number, n in zip(
                (found.a, found.b), found.kinds, found.sets, found.n_examples, strict=True
            )
        ],
    )
    print(
        f"\n{found.n_added} added, {found.n_removed} removed, {found.n_changed} changed,"
        f" {found.n_same} the same"
    )
    _others("Added", found.added, found.added_by_iteration)
    _others("Removed", found.removed, found.removed_by_iteration)
    if found.changed:
        heading("Changed")
        table(
            ["request", "seed", "before", "after"],
            [
                [c.request_id[:12], c.seed_id, ", ".join(c.before), ", ".join(c.after)]
                for c in found.changed[:_N_SHOWN]
            ],
        )
        _more(found.n_changed)
    if found.params is not None:
        heading("Params")
        rows = [[p.key, _short(p.a), _short(p.b)] for p in found.params]
        table(["key", "a", "b"], rows) if rows else print("  the same")
    if found.scores:
        heading("Accuracy by student, %")
        table(
            ["student", "seeds a", "seeds b", "test a", "test b"],
            [[s.iteration, _seeds(s.a), _seeds(s.b), _test(s.a), _test(s.b)] for s in found.scores],
        )


def _others(title: str, rows: "Sequence[Other]", by_iteration: dict[str, int]) -> None:
    if not rows:
        return
    heading(title)
    counted = ", ".join(
        f"{n} {name}" if name == "seeds" else f"{n} of iteration {name}"
        for name, n in by_iteration.items()
    )
    print(f"  {counted}")
    table(
        ["example", "origin", "seed", "iteration"],
        [[r.example_id, r.origin, r.seed_id, r.iteration] for r in rows[:_N_SHOWN]],
    )
    _more(sum(by_iteration.values()))


def _more(n: int) -> None:
    if n > _N_SHOWN:
        print(f"and {n - _N_SHOWN} more; --json lists the first thousand")


def _seeds(score: "Score | None") -> str | None:
    return percent(score.n_seeds_right, score.n_seeds) if score else None


def _test(score: "Score | None") -> str | None:
    return percent(score.n_test_right, score.n_test) if score else None


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 3] + "..."
