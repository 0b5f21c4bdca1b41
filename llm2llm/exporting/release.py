"""Write the release bundle of a finished run; few rows are in memory at a time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from llm2llm.bundle import layout
from llm2llm.bundle.forms import dataset_info, write_form
from llm2llm.bundle.manifest import File
from llm2llm.bundle.records import ExportedDecision, ExportedSeed
from llm2llm.exporting import lineage
from llm2llm.exporting.card import card
from llm2llm.exporting.checking import check_bundle
from llm2llm.exporting.croissant import croissant
from llm2llm.exporting.examples import LeftOut, handed_on
from llm2llm.exporting.facts import Facts, Tally, declared_for
from llm2llm.exporting.protected import SeedTexts, TestTexts
from llm2llm.exporting.reviewed import Review
from llm2llm.exporting.secrets import Secrets
from llm2llm.exporting.withdrawn import Withdrawn
from llm2llm.files import read_json, write_json, write_records, write_text
from llm2llm.ids import Json, sha256_file
from llm2llm.lineage.history import History, checked
from llm2llm.lineage.run import Run
from llm2llm.params.export import ExportParams
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow
from llm2llm.records.state import SeedState
from llm2llm.reviewing.edits import Reviewed
from llm2llm.streaming import RecordFile

Record = TypeVar("Record")
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Release:
    """What is released: a run of `run.n_iterations` augmentations, and what is told about it.

    `params` are all sections that data depend on; `task` is the task file; `secrets` are keys
    that must not be in it; `reviewed` is what people decided.
    """

    run: Run
    history: History
    test: Sequence[SplitRow]
    export: ExportParams
    params: Mapping[str, Any]
    task: Mapping[str, Any]
    secrets: Sequence[str]
    reviewed: Reviewed = field(default_factory=lambda: Reviewed({}, None))


def write_bundle(folder: Path, release: Release) -> Tally:
    """Write all files of the bundle into an empty folder, its manifest last.

    Each earlier file is first compared with its hash in history.json. Raises DataError where one
    changed, LeakageCheckError where a test item would be handed on.
    """
    return _Writing(folder, release).write()


class _Writing:
    """A bundle on its way."""

    def __init__(self, folder: Path, release: Release) -> None:
        self._folder = folder
        self._release = release
        self._run = release.run
        self._tally = Tally()
        self._left_out: list[LeftOut] = []
        self._test = TestTexts(release.test, release.export.rejected_text_below)
        private = release.export.augmented_only
        self._private = SeedTexts(self._seeds()) if private else None
        self._iterations = range(self._run.n_iterations)
        self._withdrawn = Withdrawn(release.export.exclude)
        self._review = Review(release.reviewed)

    def write(self) -> Tally:
        """Write tables, forms, records of the run, card and metadata; check; write the manifest."""
        self._dataset()
        for place, entry in enumerate(self._withdrawn.entries):
            self._tally.withdrawn[entry.told] = self._withdrawn.n_by_entry[place]
        self._tally.reviewed = self._review.counts()
        self._lineage()
        files = self._described()
        told = self._facts()
        write_json(self._folder / layout.CROISSANT, croissant(told, files))
        write_text(self._folder / layout.CARD, card(told))
        secrets = Secrets(self._release.secrets)
        check_bundle(self._folder, self._test, self._private, self._withdrawn.texts, secrets)
        for name in (layout.CROISSANT, layout.CARD):
            files[name] = self._file(name)
        write_json(self._folder / layout.MANIFEST, self._manifest(files))
        return self._tally

    def _seeds(self) -> Iterator[tuple[str, str]]:
        for example in self._set():
            if example.origin == "seed":
                yield example.example_id, example.input

    def _set(self) -> RecordFile[Example]:
        return RecordFile(self._run.examples(self._run.n_iterations), Example)

    def _dataset(self) -> None:
        gone = self._withdrawn
        for i in self._iterations:
            if gone.test_items:
                gone.note_near(self._rows(i, "screened/kept", Kept))
            if gone.needs_answers:
                gone.note_answers(self._rows(i, "responses", Response))
        if gone.entries or "sets" in self._release.params:
            rejected = (row for i in self._iterations for row in self._rejected(i))
            gone.note_texts(self._set, rejected)
        handed = handed_on(
            self._set(), self._test, self._private, self._left_out, gone, self._review
        )

        def counted() -> Iterator[Example]:
            for example in handed:
                self._tally.rows["examples"] += 1
                self._tally.origins[example.origin] += 1
                if example.teacher is not None:
                    self._tally.teachers[example.teacher] += 1
                yield example

        path = self._folder / layout.DATASET
        write_records(path, Example, counted())
        forms = [form for form in layout.FORMS if form in self._release.export.formats]
        for form in forms:
            write_form(self._folder / layout.FORMS[form], form, RecordFile(path, Example))
        info = dataset_info(self._release.export.name, forms)
        write_json(self._folder / layout.DATASET_INFO, info)

    def _lineage(self) -> None:
        left_out = {row.example_id for row in self._left_out}
        private = self._private is not None
        how = lineage.Withholding(self._test, private, left_out, self._withdrawn)
        # Rejections first: they tell which requests lead to what must stay.
        self._write(
            layout.REJECTED,
            lambda i: lineage.rejections(i, self._rejected(i), how),
        )
        self._write(
            layout.ERRORS,
            lambda i: lineage.errors(
                self._rows(i, "errors", SeedError),
                self._release.history.iterations[i].checkpoint_sha256,
                how,
            ),
        )
        self._write(
            layout.REQUESTS, lambda i: lineage.requests(self._rows(i, "responses", Response), how)
        )
        self._write(
            layout.RESPONSES, lambda i: lineage.responses(self._rows(i, "responses", Response), how)
        )
        missing = left_out | self._withdrawn.examples | self._review.replaced
        self._write(
            layout.KEPT, lambda i: lineage.kept(i, self._rows(i, "screened/kept", Kept), missing)
        )
        if self._tally.reviewed:
            decisions = self._counted("review", self._decisions(how))
            write_records(self._folder / layout.REVIEW, ExportedDecision, decisions)
        states = RecordFile(self._run.in_set(self._run.n_iterations, "state.parquet"), SeedState)
        seeds = (self._seed(state, missing) for state in states)
        write_records(self._folder / layout.SEEDS, ExportedSeed, self._counted("seeds", seeds))
        last = self._run.in_set(self._run.n_iterations, layout.HISTORY)
        write_text(self._folder / layout.HISTORY, last.read_text(encoding="utf-8"))
        for i in self._iterations:
            source = self._earlier(i, "screened/certificate.json")
            write_text(self._folder / layout.certificate(i), source.read_text(encoding="utf-8"))
        whole = {**self._release.params, "task_file": self._release.task}
        write_json(self._folder / layout.PARAMS, whole)

    def _decisions(self, how: lineage.Withholding) -> Iterator[ExportedDecision]:
        for example, row in self._review.rows():
            told = self._test.told_by(example.input, example.target)
            gone = self._withdrawn.texts.told_by(example.input, example.target)
            withheld = None if row.input is None else how.reason(told=told, gone=gone)
            yield replace(row, input=None, target=None, withheld=withheld) if withheld else row

    def _seed(self, state: SeedState, missing: set[str]) -> ExportedSeed:
        return ExportedSeed(
            seed_id=state.seed_id,
            in_dataset=self._private is None and state.seed_id not in missing,
            verdicts=state.verdicts,
            n_requests=state.n_requests,
            n_kept=state.n_kept,
        )

    def _write(self, name: str, rows_of: Callable[[int], Iterable[Any]]) -> None:
        """Write a table of all iterations, one after the other, and count it."""
        rows = (row for i in self._iterations for row in rows_of(i))
        counted = self._counted(Path(name).stem, rows)
        write_records(self._folder / name, layout.TABLES[name], counted)

    def _counted(self, name: str, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self._tally.rows[name] += 1
            self._tally.without_text[name] += getattr(row, "withheld", None) is not None
            if name == "rejected":
                self._tally.gates[row.gate] += 1  # type: ignore[attr-defined]
            yield row

    def _rows(self, iteration: int, name: str, record: type[Record]) -> RecordFile[Record]:
        return RecordFile(self._earlier(iteration, f"{name}.parquet"), record)

    def _rejected(self, iteration: int) -> RecordFile[Rejected]:
        return self._rows(iteration, "screened/rejected", Rejected)

    def _earlier(self, iteration: int, name: str) -> Path:
        """Find a file of an earlier iteration, once its bytes are those of history.json."""
        files = self._release.history.iterations[iteration].files
        return checked(self._run.root, files, f"data/iterations/{iteration}/{name}")

    def _described(self) -> dict[str, File]:
        paths = sorted(path for path in self._folder.rglob("*") if path.is_file())
        names = [path.relative_to(self._folder).as_posix() for path in paths]
        return {name: self._file(name) for name in names}

    def _file(self, name: str) -> File:
        path = self._folder / name
        rows = None
        if name in layout.ALL_TABLES:
            rows = len(RecordFile(path, layout.ALL_TABLES[name]))
        elif name in layout.FORMS.values():
            rows = self._tally.rows["examples"]
        return File(sha256=sha256_file(path), bytes=path.stat().st_size, rows=rows)

    def _facts(self) -> Facts:
        release = self._release
        seeds_file = release.params["subsample"]["train"]
        return Facts(
            export=release.export,
            declared=declared_for(release.export.card, seeds_file),
            params=release.params,
            task=release.task,
            set_number=self._run.n_iterations,
            history=release.history,
            certificates=[
                read_json(self._folder / layout.certificate(i)) for i in self._iterations
            ],
            tally=self._tally,
            left_out=self._left_out,
            withdrawn=self._withdrawn,
            reviewed=self._tally.reviewed,
        )

    def _manifest(self, files: Mapping[str, File]) -> dict[str, Json]:
        release, tally = self._release, self._tally
        n = self._run.n_iterations
        counts = {"examples": tally.rows["examples"], "seeds": tally.origins["seed"]}
        counts |= {"augmented": tally.origins["augmented"], "kept": tally.rows["kept"]}
        if tally.reviewed:
            counts["edited"] = tally.origins["edited"]
        for name in ("rejected", "errors", "requests", "responses"):
            counts[name] = tally.rows[name]
            counts[f"{name}_without_text"] = tally.without_text[name]
        return {
            "schema": layout.SCHEMA,
            "name": release.export.name,
            "version": release.export.version,
            "set": n,
            "augmented_only": release.export.augmented_only,
            "formats": list(release.export.formats),
            "counts": counts,
            "files": {
                name: file.model_dump(exclude_none=True) for name, file in sorted(files.items())
            },
            "set_sha256": sha256_file(self._run.examples(n)),
            "history_sha256": files[layout.HISTORY].sha256,
            "certificates": {str(i): files[layout.certificate(i)].sha256 for i in self._iterations},
            "left_out": [asdict(row) for row in self._left_out],
            **self._told_as_withdrawn(),
            **({"review": dict(tally.reviewed)} if tally.reviewed else {}),
        }

    def _told_as_withdrawn(self) -> dict[str, Json]:
        """List each entry with its number of examples; without entries the manifest has no list."""
        rows: list[Json] = [
            {**entry.model_dump(exclude_none=True), "examples": self._withdrawn.n_by_entry[place]}
            for place, entry in enumerate(self._withdrawn.entries)
        ]
        return {"withdrawn": rows} if rows else {}
