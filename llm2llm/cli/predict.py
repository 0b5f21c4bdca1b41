"""`llm2llm predict`: a student's answers to the rows of a file."""

import dataclasses
import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from llm2llm.answering import AnsweredRow, Summary, Tally, answer_rows, rows_with_input
from llm2llm.cli.student import BASE, how_to_ask
from llm2llm.cli.tables import heading, printable, table
from llm2llm.exceptions import DataError, ParamsError
from llm2llm.ids import Json
from llm2llm.lineage.run import open_run
from llm2llm.lineage.students import BEST, find_student
from llm2llm.params.loading import load_value
from llm2llm.rows import stream_rows
from llm2llm.scoring import Breakdown, most_confused
from llm2llm.stage import PARAMS, say
from llm2llm.starting.asked import joined_as_asked
from llm2llm.starting.table import EXCEL, read_table
from llm2llm.student.handover import HowToAsk, check_whole, read_how_to_ask
from llm2llm.student.prediction import open_engine

_UNPARSABLE = "(unparsable)"
# A wider table no terminal shows.
_MOST_CLASSES = 20
# Labels that cannot be read, and rows without an input, are named so many times.
_MOST_NAMED = 20


def predict(
    file: Annotated[
        Path, typer.Argument(help="Rows as .jsonl, .csv or .parquet, or of a sheet, .xlsx.")
    ],
    student: Annotated[
        Path | None, typer.Option(help="An exported student; else one of this project.")
    ] = None,
    iteration: Annotated[
        str | None, typer.Option(help="A number, or `best` by the dev rows; else the newest.")
    ] = None,
    input_: Annotated[
        str | None, typer.Option("--input", help="The file's column to ask, if not the task's.")
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The file's column of labels, if not the task's.")
    ] = None,
    drop_bad_rows: Annotated[
        bool, typer.Option("--drop-bad-rows", help="Leave out rows without an input, and go on.")
    ] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print a JSON line for each row, then a summary's.")
    ] = False,
) -> None:
    """Answer every row of a file, in its order, as answers come; grade those with a label.

    A line begins with the number of its row: the file's line where it starts (so that the first
    row of a .csv is 2), in Parquet its count from 1. A label that the task cannot read is named on
    standard error, counted, and left out.

    Of free text only answers equal to the label count as right: no judge is asked.

    Example: llm2llm predict questions.csv --student my-student --json
    """
    folder, base_folder, how, answering = _student(student, iteration)
    named = {"input": input_ or how.fields.input, "target": target or how.fields.target}
    fields = how.fields.model_copy(update=named)
    # cuBLAS gives the same bits again only with a fixed workspace.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    bad = _BadRows(drop_bad_rows)
    joined = joined_as_asked(_rows(file), file=file, fields=fields, on_bad=bad.take)
    rows = rows_with_input(joined, file=file, fields=fields, on_bad=bad.take)
    first = next(rows, None)  # a file that cannot be read loads no model
    if first is None:
        lacking = f", and {bad.n} without an input" if bad.n else ""
        raise DataError(f"{file}: found no rows{lacking}, expected at least one; name another file")
    engine = open_engine(
        folder, base_folder, how.student, how.predict, set_default=os.environ.setdefault
    )
    tally = Tally(how.answer)
    answered = answer_rows(
        engine,
        itertools.chain([first], rows),
        fields=fields,
        answer_format=how.answer,
        max_new_tokens=how.predict.max_new_tokens or 1,
    )
    for row in answered:
        tally.add(row)
        _tell_unreadable(row, tally, f"{file}:{row.row}: field `{fields.target}`")
        if json_:
            print(json.dumps(dataclasses.asdict(row), ensure_ascii=False), flush=True)
        else:
            told = [str(row.row), _shown(row, how), row.verdict or ""]
            print(printable("\t".join(told)).rstrip(), flush=True)
    summary = tally.summary()
    if json_:
        told_all = dataclasses.asdict(summary) | {"n_bad_rows": bad.n, "student": answering}
        print(json.dumps({"summary": told_all}, ensure_ascii=False))
    else:
        _in_words(summary)
    if bad.n:
        say(f"warning: {bad.n} rows without an input were not answered (--drop-bad-rows)")
    if target is not None and summary.n_without_label == summary.n:
        say(f"warning: no row of {file} has a label in `{target}`, which --target names")
    if summary.n_unreadable_label:
        say(
            f"warning: {summary.n_unreadable_label} of {summary.n} rows have a label that the task"
            f" cannot read, and count in no accuracy: mend them in {file} and ask again"
        )
    if summary.accuracy is not None and how.answer.kind == "free":
        say(
            "note: these are free texts, and no judge is asked here: right is what equals its label"
            " word for word, and the student's accuracy by the judge is in the report"
        )


def _student(
    student: Path | None, iteration: str | None
) -> tuple[Path, Path, HowToAsk, dict[str, Json]]:
    """Find the student, its base and how to ask it; say which it is, as JSON too."""
    if student is not None:
        if iteration is not None:
            raise ParamsError("--iteration: an exported student is one alone; leave it out")
        how = read_how_to_ask(student)
        check_whole(student)
        return student, student, how, {"folder": str(student)}
    found = find_student(open_run(Path()), iteration)
    other = "" if iteration else f"; --iteration {BEST} for the best on dev rows"
    say(f"student of iteration {found.iteration} ({found.chosen_by}){other}")
    how = how_to_ask(found.folder, BASE, Path(load_value(PARAMS, "task", str)))
    return (
        *(found.folder, BASE, how),
        {"iteration": found.iteration, "chosen_by": found.chosen_by},
    )


class _BadRows:
    """Count the rows without an input, or stop at the first."""

    def __init__(self, drop: bool) -> None:
        self._drop = drop
        self.n = 0

    def take(self, failure: DataError) -> None:
        """Name a row; raises the failure where such rows are not to be left out."""
        if not self._drop:
            raise DataError(f"{failure}, or leave such rows out with --drop-bad-rows")
        self.n += 1
        if self.n <= _MOST_NAMED:
            say(printable(f"warning: {failure}; the row is not answered"))


def _rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give number and cells of each row; a sheet is read as a whole, and all else as it is asked.

    A sheet is read as `llm2llm init` does.
    """
    if file.suffix.lower() not in EXCEL:
        return stream_rows(file)
    read = read_table(file)
    return zip(read.lines, read.frame.iter_rows(named=True), strict=True)


def _tell_unreadable(row: AnsweredRow, tally: Tally, where: str) -> None:
    if row.unreadable_label is None or tally.n_unreadable > _MOST_NAMED + 1:
        return
    if tally.n_unreadable > _MOST_NAMED:
        say("warning: further such labels are counted; --json names each, as unreadable_label")
        return
    say(printable(f"warning: {where}: {row.unreadable_label}; the row is not graded"))


def _shown(row: AnsweredRow, how: HowToAsk) -> str:
    """Show what was read; of a JSON object the student's own words, not how they are compared."""
    if row.answer is None:
        return _UNPARSABLE
    return row.answer if how.answer.fields is None else " ".join(row.text.split())


def _in_words(summary: Summary) -> None:
    heading(f"{summary.n} rows, {summary.n_truncated} answers truncated")
    found = summary.accuracy
    if found is None:
        print(
            "no row has a label that the task can read, so nothing was graded"
            + _left_out(summary, "; labels that cannot be read: {}")
        )
        return
    print(
        f"right {100 * found.share:.1f} % of {found.n}, 95 % interval {100 * found.low:.1f} to"
        f" {100 * found.high:.1f}; {found.n_unparsable} unparsable,"
        f" {summary.n_without_label} rows without a label"
        + _left_out(summary, " and {} with one that cannot be read are left out")
    )
    if summary.scores is not None:
        _scores(summary.scores)
    if summary.confusion is None:
        return
    if len({cell.gold for cell in summary.confusion}) > _MOST_CLASSES:
        heading("Most often confused")
        table(
            ["gold", "answered", "rows"],
            [
                [cell.gold, cell.answer or _UNPARSABLE, cell.n]
                for cell in most_confused(summary.confusion, _MOST_CLASSES)
            ],
        )
        return
    answers: list[str | None] = [None] if any(c.answer is None for c in summary.confusion) else []
    answers = [*sorted({c.answer for c in summary.confusion if c.answer is not None}), *answers]
    counts = {(cell.gold, cell.answer): cell.n for cell in summary.confusion}
    heading("Gold down, answered across")
    table(
        ["", *(name or _UNPARSABLE for name in answers)],
        [
            [gold, *(counts.get((gold, answer), 0) for answer in answers)]
            for gold in dict.fromkeys(cell.gold for cell in summary.confusion)
        ],
    )


def _left_out(summary: Summary, told: str) -> str:
    n = summary.n_unreadable_label
    return told.format(n) if n else ""


def _scores(found: Breakdown) -> None:
    told = "micro F1 {}, macro F1 {}"
    heading(f"By {found.of}: {told.format(_percent(found.micro_f1), _percent(found.macro_f1))}")
    table(
        [found.of, "rows with it", "precision %", "recall %", "F1 %"],
        [
            [each.name, each.n_gold, *map(_percent, (each.precision, each.recall, each.f1))]
            for each in found.scores
        ],
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"
