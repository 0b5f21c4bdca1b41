"""`llm2llm withdraw`: what would go with a seed, an example, a prompt, a teacher or a test item."""

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llm2llm.cli.tables import fact, heading, table
from llm2llm.exceptions import ParamsError
from llm2llm.stage import PARAMS, store

if TYPE_CHECKING:
    from llm2llm.lineage.withdrawal import Withdrawal
    from llm2llm.params.exclude import Exclusion
    from llm2llm.quoting import Quote

_N_SHOWN = 20
_NEXT = "dvc --wait-for-lock repro"

Ids = list[str] | None


def withdraw(
    seed: Annotated[Ids, typer.Option(help="A seed, with all that was written for it.")] = None,
    example: Annotated[Ids, typer.Option(help="One augmented example.")] = None,
    prompt: Annotated[Ids, typer.Option(help="A prompt template's SHA-256: all it wrote.")] = None,
    teacher: Annotated[Ids, typer.Option(help="A teacher as reported: all it wrote.")] = None,
    test_item: Annotated[Ids, typer.Option(help="A test item: all it is nearest to.")] = None,
    above: Annotated[
        float | None, typer.Option(min=0, max=1, help="With --test-item: scores from this on.")
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why; it goes out with the bundle.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Leave it out of the export.")] = False,
    rerun: Annotated[
        bool, typer.Option("--rerun", help="Keep it out of the sets, and train again without.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before --rerun.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show what would go if something went: examples, counts, students, bundles.

    Each option may be given more than once, and a unique start of an id is enough. Changes
    nothing but params.yaml, and that with --apply or --rerun alone; no answer of the teacher is
    ever deleted.

    Example: llm2llm withdraw --seed ex-81d04e --reason "its author asked" --apply
    """
    from llm2llm.lineage.naming import resolve
    from llm2llm.lineage.withdrawal import withdrawal

    given = {"seed": seed, "example": example, "prompt": prompt, "teacher": teacher}
    names = [(kind, name, None) for kind, ids in given.items() for name in ids or ()]
    wanted = [*names, *(("test_item", name, above) for name in test_item or ())]
    _check(wanted, above=above, test_item=test_item, apply=apply, rerun=rerun, reason=reason)
    if rerun and not yes and (json_ or not sys.stdin.isatty()):
        raise ParamsError("--rerun asks before it changes params.yaml; in a script add --yes")
    entries = resolve(Path(), wanted)
    found = withdrawal(Path(), entries)
    section = "sets" if rerun else "export" if apply else None
    quoted = _quote(found) if rerun and found.first_set is not None else None
    if not json_:
        _show(found, quoted)
    if section is not None and found.n_gone == 0:
        raise ParamsError("nothing of the newest set would go, so params.yaml stays as it is")
    if rerun and not yes:
        typer.confirm("Write this into params.yaml?", abort=True)
    n_new = 0
    if section is not None:
        told = [entry.model_copy(update={"reason": reason}) for entry in entries]
        n_new = _write(section, told)
    if json_:
        _print_json(found, quoted, section, n_new)
    elif section is not None:
        print(f"\n{PARAMS}: `{section}.exclude`: {n_new} added")
        print(f"next: {_NEXT}")


def _check(
    wanted: Sequence[Any], *, reason: str | None, apply: bool, rerun: bool, **bound: Any
) -> None:
    if not wanted:
        raise ParamsError(
            "nothing is named; expected --seed, --example, --prompt, --teacher or --test-item with"
            " an id, e.g. `llm2llm withdraw --seed ex-81d04e`"
        )
    if bound["above"] is not None and not bound["test_item"]:
        raise ParamsError("--above: bounds the scores of --test-item, which is not given; add it")
    if apply and rerun:
        raise ParamsError("--apply and --rerun: found both, expected one; --rerun does all of it")
    if (apply or rerun) and not (reason or "").strip():
        raise ParamsError("--reason: missing; say why, as the bundle tells it to its receivers")


def _write(section: str, entries: "Sequence[Exclusion]") -> int:
    """Add what the list does not name yet; give the number of new entries."""
    from llm2llm.files import write_text
    from llm2llm.params.editing import with_entries
    from llm2llm.params.loading import read_yaml

    held = (read_yaml(PARAMS).get(section) or {}).get("exclude") or []
    known = [{**entry, "reason": None} for entry in held]
    new = [e for e in entries if {**e.model_dump(exclude_none=True), "reason": None} not in known]
    if new:
        text = PARAMS.read_text(encoding="utf-8")
        write_text(PARAMS, with_entries(text, section, new))
    return len(new)


def _quote(found: "Withdrawal") -> "Quote | None":
    """Quote what is asked again once the first set that changes is another; null: nothing is."""
    from llm2llm.cli.teaching import answer_judge_of, ledger_of, sender_of
    from llm2llm.judging_stage import judge_of
    from llm2llm.lineage.progress import status, undone_from
    from llm2llm.lineage.run import open_run
    from llm2llm.pending import load_teaching
    from llm2llm.quoting import quote

    assert found.first_set is not None
    teaching = load_teaching(Path())
    with ledger_of(store(), make=False) as ledger:
        answer_judge = answer_judge_of(teaching, ledger)
        # Of the last set alone no teacher is asked, but the judge of its student's answers.
        if found.first_set >= open_run(Path()).n_iterations and answer_judge is None:
            return None
        return quote(
            Path(),
            store(),
            teaching,
            ledger,
            lambda iteration: sender_of(teaching, ledger, iteration),
            judge_of("dedupe-against-test", lambda: ledger, lambda _tally: None),
            answer_judge,
            found=undone_from(status(Path(), store()), found.first_set),
        )


def _show(found: "Withdrawal", quoted: "Quote | None") -> None:
    print(
        f"{found.n_gone} of {found.n_examples} examples would go, {found.n_seeds_gone} of them"
        f" seeds; {found.n_left} stay"
    )
    heading("Named")
    table(
        ["what", "id", "from score", "examples"],
        [[w.kind.replace("_", " "), w.id, w.above, w.n_examples] for w in found.wanted],
    )
    if not found.n_gone:
        return
    heading("Examples")
    table(
        ["example", "iteration", "seed", "because of", "score"],
        [
            [g.example_id, g.iteration, g.seed_id, g.because, g.score and f"{g.score:.3f}"]
            for g in found.examples[:_N_SHOWN]
        ],
    )
    _rest(found.n_gone)
    for title, losses in (
        ("By iteration that wrote them", found.iterations),
        ("By seed", found.seeds[:_N_SHOWN]),
        ("Sets", found.sets),
    ):
        if losses:
            heading(title)
            name = "seed" if title == "By seed" else "set" if title == "Sets" else "iteration"
            table([name, "go", "stay"], [[each.of, each.n_gone, each.n_left] for each in losses])
    if found.students:
        heading("Students that were trained on them")
        table(
            ["student", "checkpoint"],
            [
                ["control" if t.iteration is None else t.iteration, t.checkpoint]
                for t in found.students
            ],
        )
    heading("Bundles that hold them")
    for bundle in found.bundles:
        print(f"  {bundle.path}: {bundle.name} {bundle.version}, set {bundle.set}")
        fact("examples", bundle.n_examples)
        fact("SHA-256 of manifest.json", bundle.manifest_sha256)
        fact("archive", bundle.archive)
    print("  copies that were handed on are not known here" if found.bundles else "  none here")
    _show_cost(found, quoted)


def _rest(n_gone: int) -> None:
    if n_gone > _N_SHOWN:
        print(f"and {n_gone - _N_SHOWN} more; --json lists the first thousand")


def _show_cost(found: "Withdrawal", quoted: "Quote | None") -> None:
    from llm2llm.lineage.run import open_run

    heading("To train again without them (--rerun)")
    assert found.first_set is not None
    n = open_run(Path()).n_iterations
    print(f"  students {found.first_set} to {n}, and the control where it is on")
    if any(w.kind in ("prompt", "teacher") for w in found.wanted):
        print("  change the prompt or the teacher first: what it writes again is rejected again")
    if quoted is not None:
        most, expected = quoted.most, quoted.expected
        judges = " and judges" if quoted.judge or quoted.answer_judge else ""
        print(
            f"  requests to teacher {quoted.backend}{judges}: {expected.n_requests:.0f} expected,"
            f" {most.n_requests:.0f} at most"
        )
        print(f"  their cost: {_cost(expected.cost)} expected, {_cost(most.cost)} at most")


def _cost(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.4f}"


def _print_json(
    found: "Withdrawal", quoted: "Quote | None", section: str | None, n_new: int
) -> None:
    document = {
        **dataclasses.asdict(found),
        "quote": None if quoted is None else dataclasses.asdict(quoted),
        "written_to": f"{section}.exclude" if section else None,
        "n_new_entries": n_new,
        "next_command": _NEXT if section else None,
    }
    print(json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True))
