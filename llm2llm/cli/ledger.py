"""`llm2llm ledger`: what was paid for: look at it, mend it, take it elsewhere."""

import dataclasses
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from llm2llm.cli.tables import fact, heading, print_json, printable, table
from llm2llm.exceptions import DataError, ParamsError
from llm2llm.ledger.database import Ledger
from llm2llm.ledger.exporting import export as export_rows
from llm2llm.ledger.importing import Imported, bring
from llm2llm.ledger.salvaging import salvage as salvage_ledger
from llm2llm.ledger.summary import Summary, Total, summarize
from llm2llm.params.loading import read_yaml
from llm2llm.stage import PARAMS, store

ledger = typer.Typer(
    help="See, salvage, export or import the teacher's answers.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_MOST_NAMED = 10


@ledger.command()
def status(json_: Json = False) -> None:
    """Show what the ledger holds, what it cost and whether it is whole; a run may be writing.

    Example: llm2llm ledger status
    """
    found = summarize(store())
    if not found.exists and not PARAMS.exists():
        read_yaml(PARAMS)  # says that there is no project here, or where it is
    if json_:
        print_json(found)
        return
    if not found.exists:
        print(f"{found.path}: no ledger yet; it comes with the first answer")
        return
    _in_words(found)


def _in_words(found: Summary) -> None:
    total = found.total
    print(found.path)
    fact("bytes", found.size_bytes)
    fact("format", found.format)
    fact("requests in flight now", _in_flight(found.in_flight))
    if total is None or found.charges is None:
        print("damaged, as SQLite finds:")
        for line in found.damage[:_MOST_NAMED]:
            print(f"  {printable(line)}")
        print("next: llm2llm ledger salvage")
        return
    fact("whole", "yes, SQLite's integrity check passes")
    fact("first answer", found.first)
    fact("last answer", found.last)
    heading("Requests")
    names = ["backend", "model", "status", "requests", "tries", "prompt", "completion", "cost"]
    rows = [[each.backend, each.model, each.status, *_cells(each.total)] for each in found.groups]
    table([*names, "cost unknown"], [*rows, ["all", None, None, *_cells(total)]])
    if found.n_imported:
        print(f"{found.n_imported} of them imported: no spending of this project")
    if found.charges.n:
        heading("Billed calls that brought no answer, in no sum above")
        table([*names[3:], "cost unknown"], [_cells(found.charges)])
    if found.batches:
        heading("Batches under way at a provider, collected by the next `dvc repro`")
        names = ["endpoint", "batches", "requests owed"]
        table(names, [[each.endpoint, each.n_batches, each.n_requests] for each in found.batches])
    if found.failures:
        heading("Requests that failed for good")
        table(["reason", "requests"], [[each.reason, each.n] for each in found.failures])


def _cells(total: Total) -> list[object]:
    return [
        total.n,
        total.n_attempts,
        total.n_prompt_tokens,
        total.n_completion_tokens,
        None if total.cost is None else f"{total.cost:.4f}",
        total.n_cost_unknown,
    ]


def _in_flight(pids: list[int]) -> str:
    named = ", ".join(str(pid) for pid in sorted(set(pids)))
    return f"{len(pids)} (process {named})" if pids else "0"


@ledger.command()
def salvage(json_: Json = False) -> None:
    """Read what is left of a damaged ledger into a new one; the damaged file is kept beside it.

    Takes only rows whose id is the hash of their request.

    Example: llm2llm ledger salvage
    """
    done = salvage_ledger(store())
    if json_:
        print_json(done)
        return
    if done.whole:
        print(f"{done.path} is whole: {done.n_saved} requests; nothing was done")
        return
    print(f"{done.path} is a new ledger; the damaged one is {done.kept_as} beside it")
    fact("requests saved", done.n_saved)
    fact("billed calls without an answer saved", done.n_charges)
    fact("marks of imported requests saved", done.n_imported)
    for name, n_rows in done.others.items():
        fact(f"rows of table {name} saved", n_rows)
    fact("requests known to be lost", done.n_lost)
    for request_id in done.lost[:_MOST_NAMED]:
        print(f"    {printable(request_id)}")
    fact("requests not taken, as their id is not their hash", done.n_mismatched)
    fact("pages that cannot be read, each with any number of requests", done.n_pages_lost)
    if not done.others_read:
        print("further tables could not be read, such as those of a provider's batches")
    if not done.others_read or done.batches_lost:
        print("batches may be under way at the provider that the new ledger does not know:")
        fact("open batches found and not saved", len(done.batches_lost))
        for name in done.batches_lost[:_MOST_NAMED]:
            print(f"    {printable(name)}")
        fact("requests found that such batches owe", done.n_owed_lost)
        print("look there first: the next run submits such requests again, and pays again")
    print("what is lost is asked for again, and paid again, when a run needs it")


@ledger.command()
def export(
    file: Annotated[Path, typer.Argument(help="A .parquet or .jsonl file to write.")],
    backend: Annotated[str | None, typer.Option(help="Only the requests of one backend.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from this day, or time, UTC on.")] = None,
    json_: Json = False,
) -> None:
    """Write all requests with their answers to one file; no key is ever in it.

    Requests of a judge hold test items: whoever gets the file has then seen them.

    Example: llm2llm ledger export answers.parquet --since 2026-11-01
    """
    path = store() / "ledger.sqlite"
    done = export_rows(path, file, backend=backend, since=_moment(since))
    if json_:
        print(json.dumps({"file": str(file), **dataclasses.asdict(done)}))
        return
    print(f"{file}: {done.n_rows} requests with their outcomes")
    if done.n_judged:
        print(
            f"warning: {done.n_judged} of them were put to a judge and hold test items"
            " word for word; whoever gets this file has seen them"
        )


def _moment(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise ParamsError(
            f"--since: found {text!r}, expected a day or time such as 2026-11-01"
        ) from None
    utc = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return utc.isoformat(timespec="milliseconds")


@ledger.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Exports, ledgers or responses.parquet.")],
    json_: Json = False,
) -> None:
    """Bring answers of other projects or earlier runs into the ledger, each checked by its hash.

    A request that is there keeps its answer. Nothing of a file with a bad row is taken. What is
    imported does not count as spent by this project.

    Example: llm2llm ledger import ../other/.llm2llm/ledger.sqlite old/responses.parquet
    """
    into = Ledger(store())
    now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
    done: list[Imported] = []
    failures: list[str] = []
    for file in files:
        try:
            done.append(bring(into, file, now))
        except DataError as failure:
            failures.append(str(failure))
    into.close()
    if json_:
        report = {"files": [dataclasses.asdict(each) for each in done], "failures": failures}
        print(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for each in done:
            _told(each)
    for text in failures:
        print(f"error: {text}; nothing of this file was taken", file=sys.stderr)
    if failures:
        raise typer.Exit(DataError.exit_code)


def _told(each: Imported) -> None:
    print(f"{each.file}: {each.n_added} requests added, {each.n_known} were there already")
    if each.n_no_outcome:
        print(f"  {each.n_no_outcome} rows without an outcome passed over")
    if each.differing:
        named = ", ".join(each.differing[:_MOST_NAMED])
        more = len(each.differing) - _MOST_NAMED
        print(
            f"  {len(each.differing)} were there with another answer, which stays: {named}"
            f"{f' and {more} more' if more > 0 else ''}"
        )
