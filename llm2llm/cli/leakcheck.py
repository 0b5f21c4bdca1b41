"""`llm2llm leakcheck`: compare any texts with any test set, without a project."""

import json
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import typer

from llm2llm.cli.tables import printable, table
from llm2llm.exceptions import DataError, Llm2llmError
from llm2llm.files import replacing_folder, schema_of, write_json, write_text
from llm2llm.leakage.checking import Checked, Checker
from llm2llm.leakage.encoder import load_encoder
from llm2llm.leakage.page import readable
from llm2llm.leakage.sources import count_rows, read_rows
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.params.loading import load_section
from llm2llm.progress import progress
from llm2llm.records.checked import CheckedKept, CheckedRejected
from llm2llm.tasks.sections import LeakagePolicy

LEAKS_FOUND, COULD_NOT_CHECK = 1, 2
_N_SHOWN = 20
_TEXT_SHOWN = 60
_GROUP = 2_000
_OWN_FILES = {"kept.parquet", "rejected.parquet", "certificate.json", "certificate.md"}


def leakcheck(
    candidates: Annotated[Path, typer.Option(help="The texts to check.")],
    against: Annotated[Path, typer.Option(help="The test set to check them against.")],
    field: Annotated[str, typer.Option(help="The field that holds the text.")] = "text",
    against_field: Annotated[
        str | None, typer.Option(help="The same in the test set, where it has another name.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder for kept and rejected rows and certificate.")
    ] = None,
    clean: Annotated[
        Path | None,
        typer.Option(help="Real rows that are no test items, to calibrate the cuts with."),
    ] = None,
    masked: Annotated[
        bool, typer.Option("--masked", help="Other numbers and names make the same item.")
    ] = False,
    params: Annotated[
        Path | None, typer.Option(help="A params.yaml whose cuts to use, not the default ones.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find test items, and rewritten ones, among candidates.

    Reads JSON lines, .csv and .parquet; the test set must fit in memory, the candidates
    need not. Exits with 0 where nothing leaks, 1 where something does, 2 where it could
    not be checked.

    Example: llm2llm leakcheck --candidates train.jsonl --against test.jsonl --field question
    """
    with _could_not_check(json_):
        settings = _settings(params)
        _refuse_other_files(out)
        name = against_field or field
        checker = Checker.of(
            read_rows(against, name, "--against-field"),
            read_rows(clean, name, "--against-field") if clean else [],
            LeakagePolicy(masked=masked, templated=False),
            settings,
            load_encoder(settings.embedding.encoder, settings.embedding.revision)
            if "embedding" in settings.gates
            else None,
        )
        with _sink(out) as write, progress("leakcheck", count_rows(candidates)) as advance:
            rows = read_rows(candidates, field, "--field")
            shown = _take(checker.check(rows, advance), write)
            certificate = checker.certificate()
            write.certificate(certificate)
        if json_:
            _print_json(certificate, shown)
        else:
            _print(certificate, shown, out, masked=masked)
    if checker.rejected_by_gate:
        raise typer.Exit(LEAKS_FOUND)


class _could_not_check(AbstractContextManager[None]):  # noqa: N801 - used as a statement
    """End with exit code 2 whatever goes wrong inside: a fault must never read as a verdict."""

    def __init__(self, json_: bool) -> None:
        self._json = json_

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if failure is None or not isinstance(failure, Exception):
            return
        if not isinstance(failure, Llm2llmError | OSError):
            traceback.print_exception(kind, failure, trace)
        if self._json:
            print(json.dumps({"verdict": "not checked", "problem": str(failure)}, indent=2))
        print(f"error: {failure}", file=sys.stderr)
        raise typer.Exit(COULD_NOT_CHECK) from failure


class _Sink:
    """Where verdicts go: two Parquet files and the certificate in a folder, or nowhere."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._rows: dict[type[Checked], list[Checked]] = {CheckedKept: [], CheckedRejected: []}
        self._writers: dict[type[Checked], pq.ParquetWriter] = {}
        if folder is not None:
            for record, name in ((CheckedKept, "kept"), (CheckedRejected, "rejected")):
                self._writers[record] = pq.ParquetWriter(
                    folder / f"{name}.parquet", schema_of(record), compression="zstd"
                )

    def add(self, checked: Checked) -> None:
        rows = self._rows[type(checked)]
        rows.append(checked)
        if len(rows) == _GROUP:
            self._flush(type(checked))

    def certificate(self, certificate: dict[str, Any]) -> None:
        if self._folder is not None:
            write_json(self._folder / "certificate.json", certificate)
            write_text(self._folder / "certificate.md", readable(certificate))

    def close(self) -> None:
        for record in self._rows:
            self._flush(record)
        for writer in self._writers.values():
            writer.close()

    def _flush(self, record: type[Checked]) -> None:
        rows, schema = self._rows[record], schema_of(record)
        if rows and record in self._writers:
            columns = [
                pa.array([getattr(row, each.name) for row in rows], each.type) for each in schema
            ]
            self._writers[record].write_table(pa.table(columns, schema=schema))
        rows.clear()


@contextmanager
def _sink(out: Path | None) -> Iterator[_Sink]:
    if out is None:
        yield _Sink(None)
        return
    with replacing_folder(out) as folder:
        sink = _Sink(folder)
        yield sink
        sink.close()


def _take(checked: Iterable[Checked], sink: _Sink) -> list[CheckedRejected]:
    shown: list[CheckedRejected] = []
    for each in checked:
        sink.add(each)
        if isinstance(each, CheckedRejected) and len(shown) < _N_SHOWN:
            shown.append(each)
    return shown


def _settings(params: Path | None) -> DedupeParams:
    if params is not None:
        return load_section(params, "dedupe_against_test", DedupeParams)
    with as_file(files("llm2llm") / "presets" / "quickstart.yaml") as preset:
        return load_section(preset, "dedupe_against_test", DedupeParams)


def _refuse_other_files(out: Path | None) -> None:
    if out is None or not out.exists():
        return
    others = {path.name for path in out.iterdir()} - _OWN_FILES
    if others:
        raise DataError(
            f"{out}: holds {', '.join(sorted(others)[:3])}, expected a new folder, or one that"
            " leakcheck wrote, which is replaced; name another with --out"
        )


def _print_json(certificate: dict[str, Any], shown: list[CheckedRejected]) -> None:
    counts = certificate["counts"]
    document = {
        "verdict": "leaks" if counts["rejected_candidates"] else "clean",
        "certificate": certificate,
        "first_leaks": [
            {
                "row": leak.row,
                "gate": leak.gate,
                "score": leak.score,
                "reference_row": leak.reference_row,
            }
            for leak in shown
        ],
    }
    print(json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True))


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _TEXT_SHOWN else f"{line[: _TEXT_SHOWN - 3]}..."


def _print(
    certificate: dict[str, Any], shown: list[CheckedRejected], out: Path | None, *, masked: bool
) -> None:
    counts = certificate["counts"]
    n_leaks = counts["rejected_candidates"]
    print(
        f"{counts['candidates']} candidates, {certificate['test_set']['n_items']} test items: "
        + (f"{n_leaks} leaks" if n_leaks else "clean")
    )
    if shown:
        print()
        table(
            ["row", "gate", "score", "test row", "text"],
            [
                [leak.row, leak.gate, f"{leak.score:.2f}", leak.reference_row, _short(leak.text)]
                for leak in shown
            ],
        )
        if n_leaks > len(shown):
            print(f"and {n_leaks - len(shown)} more" + ("" if out else "; --out DIR writes all"))
    print()
    print("not checked:")
    for gap in certificate["not_checked"]:
        print(f"  {printable(gap)}")
    if not masked:
        print("  (--masked takes texts for the same that differ in numbers and names alone)")
    if out is not None:
        print(f"\nwritten: {out}/kept.parquet, rejected.parquet, certificate.json, certificate.md")
