"""`llm2llm review`: hand kept examples to a person, and take the decisions back."""

import json
import math
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from llm2llm.exceptions import DataError, ParamsError
from llm2llm.stage import PARAMS

review = typer.Typer(
    help="Hand kept examples to a person, and take the decisions back.", no_args_is_help=True
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@review.command()
def export(
    out: Annotated[Path, typer.Option(help="The sheet to write: .csv or .parquet.")],
    iteration: Annotated[
        int | None, typer.Option(min=0, help="Only what this iteration wrote.")
    ] = None,
    sample: Annotated[
        float | None, typer.Option(min=0, max=1, help="Only this share, the riskiest.")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", min=1, help="Only so many, the riskiest.")] = None,
    decided: Annotated[
        bool, typer.Option("--decided", help="Also those decided about, with the decisions.")
    ] = False,
    json_: Json = False,
) -> None:
    """Write kept examples as a sheet, the riskiest first.

    Fill in its last columns: decision (accept, edit or reject), note, and for an edit the new text.

    Example: llm2llm review export --n 50 --out review.csv
    """
    from llm2llm.lineage.run import open_run
    from llm2llm.params.loading import load_section, load_value
    from llm2llm.records.decisions import DECISIONS
    from llm2llm.reviewing.decisions import read_decisions
    from llm2llm.reviewing.risk import risks
    from llm2llm.reviewing.sheet import MOST_CHARACTERS, form_of, sheet_row, write_sheet
    from llm2llm.tasks.sections import AnswerFormat

    if sample is not None and n is not None:
        raise ParamsError("--sample and --n: found both, expected one")
    if out.exists():
        raise DataError(f"{out}: exists already, and may hold decisions; name another file")
    form = form_of(out)
    decisions = read_decisions(DECISIONS)
    answer = load_section(Path(load_value(PARAMS, "task", str)), "answer", AnswerFormat)
    found = [
        risk
        for risk in risks(open_run(Path()), answer)
        if iteration is None or risk.example.iteration == iteration
    ]
    open_ = [risk for risk in found if decided or risk.example.example_id not in decisions]
    n_written = len(open_) if n is None else min(n, len(open_))
    if sample is not None:
        n_written = math.ceil(sample * len(open_))
    if n_written == 0:
        raise DataError(
            f"nothing to review: {len(found)} kept examples, {len(found) - len(open_)} of them"
            " decided about; --decided gives those too, and another --iteration others"
        )
    rows = [
        sheet_row(rank, risk, decisions.get(risk.example.example_id))
        for rank, risk in enumerate(open_[:n_written], start=1)
    ]
    write_sheet(out, rows)
    n_long = sum(
        any(len(text) > MOST_CHARACTERS for text in (row.input, row.target, row.seed_input))
        for row in rows
    )
    told = {
        "file": str(out),
        "n_kept": len(found),
        "n_decided": sum(risk.example.example_id in decisions for risk in found),
        "n_written": n_written,
        "n_with_votes": sum(row.votes is not None for row in rows),
        "n_too_long_for_excel": n_long if form == ".csv" else 0,
    }
    if json_:
        _print(told)
        return
    print(
        f"{out}: {n_written} of {told['n_kept']} kept examples, the riskiest first;"
        f" {told['n_decided']} are decided about"
    )
    if told["n_too_long_for_excel"]:
        print(
            f"{n_long} rows have a text of more than {MOST_CHARACTERS:,} characters, which Excel"
            " cuts off; LibreOffice does not"
        )
    sheet = shlex.quote(str(out))
    print(f"next: fill in decision, then llm2llm review import {sheet} --reviewer NAME")


@review.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The sheet, filled in: .csv or .parquet.")],
    reviewer: Annotated[
        str | None, typer.Option(help="Who decided; it goes out with the bundle.")
    ] = None,
    json_: Json = False,
) -> None:
    """Take the decisions of a sheet into the project, all of them or none.

    They are kept in data/review/decisions.jsonl, which is yours to commit. The next `dvc repro`
    exports without what is rejected, and with the edited texts.

    Example: llm2llm review import review.csv --reviewer Ada
    """
    from llm2llm.files import write_text
    from llm2llm.lineage.run import open_run
    from llm2llm.records.decisions import DECISIONS
    from llm2llm.reviewing.decisions import decisions_text, read_decisions
    from llm2llm.reviewing.importing import import_sheet
    from llm2llm.reviewing.sheet import read_sheet

    sheet = read_sheet(file)
    before = read_decisions(DECISIONS)
    found = import_sheet(open_run(Path()), sheet, before, (reviewer or "").strip() or None)
    if found.n_added + found.n_changed:
        write_text(DECISIONS, decisions_text(found.decisions.values()))
    told: dict[str, Any] = {
        "decisions": str(DECISIONS),
        "n_decisions": len(found.decisions),
        **{
            f"n_{name}": getattr(found, f"n_{name}")
            for name in ("accept", "edit", "reject", "undecided", "added", "changed", "same")
        },
        "ignored_columns": sheet.ignored,
        "written_over": [{"row": row, "column": column} for row, column in found.written_over],
        "encoding": sheet.encoding,
    }
    if json_:
        _print(told)
        return
    print(
        f"{file}: {found.n_accept} accepted, {found.n_edit} edited, {found.n_reject} rejected,"
        f" {found.n_undecided} rows without a decision"
    )
    if sheet.ignored:
        print(f"not read, since the sheet came without: column {', '.join(sheet.ignored)}")
    if found.written_over:
        row, column = found.written_over[0]
        more = f", and {len(found.written_over) - 1} more" if found.written_over[1:] else ""
        print(
            f"row {row}, column {column}: another text than the example's{more}, which changes"
            " nothing; new texts are read from edited_input and edited_target, with the decision"
            " edit"
        )
    if any(decision.reviewer is None for decision in found.decisions.values()):
        print("some decisions name no reviewer; --reviewer NAME says in the bundle who decided")
    if sheet.encoding == "cp1252":
        print(
            "read as Windows-1252, which lacks many characters: look through the edited texts, or"
            " save as CSV UTF-8"
        )
    print(
        f"{DECISIONS}: {found.n_added} added, {found.n_changed} changed, {found.n_same} as before;"
        f" {len(found.decisions)} in all"
    )
    if found.n_added + found.n_changed:
        print(f"next: raise export.version, git add {DECISIONS}, dvc --wait-for-lock repro")


def _print(value: dict[str, Any]) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True))
