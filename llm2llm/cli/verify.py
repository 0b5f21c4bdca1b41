"""`llm2llm verify`: whether a bundle is what it says it is."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llm2llm.cli.tables import fact, heading, print_json, table
from llm2llm.exceptions import Llm2llmError

if TYPE_CHECKING:
    from llm2llm.bundle.retesting import Retest
    from llm2llm.bundle.verifying import Verified

_FAILED, _COULD_NOT_CHECK = 1, 2


def verify(
    bundle: Annotated[Path, typer.Argument(help="The folder of a bundle, or its archive.")],
    test: Annotated[
        Path | None, typer.Option(help="Your own test rows: JSON lines, .csv or .parquet.")
    ] = None,
    input_field: Annotated[
        str | None, typer.Option(help="The test rows' input; default: as in the task.")
    ] = None,
    target_field: Annotated[
        str | None, typer.Option(help="The test rows' target; default: as in the task.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check a bundle: hashes, schemas, ids, lineage, counts, certificates.

    Needs nothing but the bundle. With --test every example goes through the leakage gates again.
    Exits 0 if all holds, 1 if something does not, 2 if it could not be checked.

    Example: llm2llm verify data/export --test my_test.jsonl
    """
    # Here, since all of this would make every other command start later.
    from llm2llm.bundle.archive import opened
    from llm2llm.bundle.checks import for_receivers
    from llm2llm.bundle.verifying import verify as verify_bundle

    try:
        with opened(bundle) as folder:
            found = verify_bundle(folder, test, input_field, target_field)
    except (Llm2llmError, OSError) as failure:
        print(f"error: {for_receivers(failure)}", file=sys.stderr)
        raise typer.Exit(_COULD_NOT_CHECK) from None
    if json_:
        print_json(found)
    else:
        _show(found)
    if not found.passed:
        raise typer.Exit(_FAILED)


def _show(found: "Verified") -> None:
    print(f"{found.name} {found.version}: set {found.set}, {found.n_examples} examples")
    fact("SHA-256 of manifest.json", found.manifest_sha256)
    print()
    table(
        ["check", "result", "that"],
        [
            [c.name, f"{c.n_problems} wrong" if c.n_problems else "ok", c.about]
            for c in found.checks
        ],
    )
    for check in found.checks:
        if not check.problems:
            continue
        heading(f"{check.name}: {check.n_problems} wrong")
        table(["file", "problem"], [[each.file, each.problem] for each in check.problems])
    if found.retest is not None:
        _show_retest(found.retest)
    elif found.retest_left_out:
        print("\nyour test file was not compared, as the bundle does not hold")
    print("\nall of it holds" if found.passed else "\nnot as it should be: do not use it")


def _show_retest(found: "Retest") -> None:
    heading(f"Leakage gates against your {found.n_test_items} test items")
    fact("the test set of the certificates", "yes" if found.same_test_set else "no, another one")
    fact("cuts", ", ".join(f"{name} {cut:g}" for name, cut in found.cuts.items()))
    if found.judge_not_asked:
        fact("the judge of the certificates", "not asked again; its word is not checked here")
    fact("examples", found.n_examples)
    fact("leaks", found.n_leaks)
    fact("seeds near a test item, which are no leaks", found.n_seeds_near or None)
    if found.leaks:
        table(
            ["example", "origin", "gate", "line of the test file", "score"],
            [
                [leak.example_id, leak.origin, leak.gate, leak.test_line, f"{leak.score:.3f}"]
                for leak in found.leaks
            ],
        )
