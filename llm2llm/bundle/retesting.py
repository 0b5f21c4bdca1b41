"""Put a bundle's examples through the leakage gates again, against a test set of one's own."""

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from llm2llm.bundle import layout
from llm2llm.bundle.manifest import read_manifest
from llm2llm.bundle.objects import read_object
from llm2llm.csv_form import encoding_of
from llm2llm.exceptions import DataError, MachineError
from llm2llm.ids import example_id, sha256_json
from llm2llm.leakage.encoder import Encode, load_encoder
from llm2llm.leakage.gate import Text
from llm2llm.leakage.gates import LeakageGates, build_gates
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.rows import csv_records
from llm2llm.streaming import RecordFile
from llm2llm.tasks.sections import LeakagePolicy

_CHUNK = 200
_N_NAMED = 20

_Part = TypeVar("_Part", bound="_Told")


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Fields(_Told):
    input: str | None = None
    target: str | None = None


class _Task(_Told):
    fields_: _Fields = Field(_Fields(), alias="fields")
    leakage: Any = None


class _Params(_Told):
    task_file: _Task = _Task()
    dedupe_against_test: dict[str, Any] | None = None


class _Gate(_Told):
    gate: str
    rejected_from: float
    settings: dict[str, Any] = {}


class _TestSet(_Told):
    sha256: str | None = None


class _Certificate(_Told):
    gates: list[_Gate] = []
    test_set: _TestSet = _TestSet()
    judge: Any = None


@dataclass(frozen=True, slots=True)
class Leak:
    """An example that a gate stops, and the line of the test file that it is too close to."""

    example_id: str
    origin: str
    gate: str
    test_line: int
    score: float


@dataclass(frozen=True, slots=True)
class Retest:
    """What the gates found; `same_test_set` says that the certificates are of this very file.

    `judge_not_asked` says that the certificates rest on a judge's word too, which is not asked for
    again. Seeds are real rows, which may be close to a test item by chance: only those that are one
    count as leaks, the others under `n_seeds_near`. `leaks` names the first.
    """

    n_test_items: int
    same_test_set: bool
    cuts: dict[str, float]
    judge_not_asked: bool
    n_examples: int
    n_leaks: int
    n_seeds_near: int
    leaks: list[Leak]


def retest(folder: Path, test: Path, input_field: str | None, target_field: str | None) -> Retest:
    """Compare every example of a bundle with every row of a test file.

    Fields are those of the bundle's task unless named. Cuts are the certified ones. Raises
    DataError where the test file or the bundle's params cannot be used, MachineError where the
    embedding gate was on and its encoder is not to be had here.
    """
    params = _read(folder / layout.PARAMS, _Params)
    fields = params.task_file.fields_
    rows = _read_test(test, input_field or fields.input, target_field or fields.target)
    n_certificates = read_manifest(folder).set
    certified = (
        _read(folder / layout.certificate(n_certificates - 1), _Certificate)
        if n_certificates
        else _Certificate()
    )
    gates = _gates(folder, rows, params, certified)
    examples = RecordFile(folder / layout.DATASET, Example)
    leaks: list[Leak] = []
    n_leaks = n_near = 0
    for leak in _flagged(gates, examples, rows):
        if leak.origin == "seed" and leak.gate != "exact":
            n_near += 1
            continue
        n_leaks += 1
        if len(leaks) < _N_NAMED:
            leaks.append(leak)
    ids = sha256_json([row.example_id for row in rows])
    return Retest(
        n_test_items=len(rows),
        same_test_set=certified.test_set.sha256 == ids,
        cuts={cut_gate.gate.name: cut_gate.cut.value for cut_gate in gates.gates},
        judge_not_asked=certified.judge is not None,
        n_examples=len(examples),
        n_leaks=n_leaks,
        n_seeds_near=n_near,
        leaks=leaks,
    )


def _read(path: Path, part: type[_Part]) -> _Part:
    try:
        return part.model_validate(read_object(path))
    except ValidationError as failure:
        first = failure.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise DataError(
            f"{path}: field {where}: {first['msg'].lower()}; get the bundle again"
        ) from None


def _flagged(
    gates: LeakageGates, examples: RecordFile[Example], rows: list[SplitRow]
) -> Iterator[Leak]:
    source = iter(examples)
    while chunk := list(islice(source, _CHUNK)):
        flags = gates.check([Text(example.input, example.target) for example in chunk])
        for example, flag in zip(chunk, flags, strict=True):
            if flag is not None:
                line = rows[flag.reference].source_row
                yield Leak(example.example_id, example.origin, flag.gate, line, flag.score)


def _gates(
    folder: Path, rows: list[SplitRow], params: _Params, certified: _Certificate
) -> LeakageGates:
    """Build the gates as screening does, then set the cuts that its certificate names.

    There are no unused rows to calibrate with; where nothing is certified the defaults stand.
    """
    try:
        # Bundles from before there was a judge name none.
        given = {"judge": None, **(params.dedupe_against_test or {})}
        settings = DedupeParams.model_validate(given)
        policy = LeakagePolicy.model_validate(params.task_file.leakage)
    except ValidationError as failure:
        raise DataError(
            f"{folder / layout.PARAMS}: the leakage check's params do not hold ({failure}); another"
            " version of llm2llm wrote the bundle: install that one"
        ) from None
    seeds = [
        example.input
        for example in RecordFile(folder / layout.DATASET, Example)
        if example.origin == "seed"
    ]
    gates = build_gates(rows, [], seeds, policy, settings, _encoder(settings, certified))
    cuts = {gate.gate: gate.rejected_from for gate in certified.gates}
    return replace(
        gates,
        gates=tuple(
            replace(each, cut=replace(each.cut, value=cuts.get(each.gate.name, each.cut.value)))
            for each in gates.gates
        ),
    )


def _encoder(settings: DedupeParams, certified: _Certificate) -> tuple[Encode, str] | None:
    """Load the encoder that screening used, where the embedding gate was on."""
    if "embedding" not in settings.gates:
        return None
    named = settings.embedding.encoder
    if importlib.util.find_spec("transformers") is None:
        raise MachineError(
            "the bundle was screened with the embedding gate, and comparing again needs its"
            f" encoder ({named}), transformers and torch; install them:"
            " pip install 'llm2llm[training]'; without --test all else of the bundle is checked"
        )
    encode, sha256 = load_encoder(named, settings.embedding.revision)
    [expected] = [
        str(gate.settings.get("encoder_sha256"))
        for gate in certified.gates
        if gate.gate == "embedding"
    ][:1] or [sha256]
    if sha256 != expected:
        raise DataError(
            f"the encoder {named} has weights of SHA-256 {sha256[:12]}..., expected"
            f" {expected[:12]}... as the certificate names them: its cut is not one of this"
            " encoder; get the model that the bundle was screened with"
        )
    return encode, sha256


def _read_test(path: Path, input_field: str | None, target_field: str | None) -> list[SplitRow]:
    """Read a test file: JSON lines, CSV or Parquet; a target is not needed."""
    if input_field is None:
        raise DataError("the bundle names no input field; say which: --input-field NAME")
    rows = []
    for line, value in _values(path):
        text = value.get(input_field) if isinstance(value, dict) else None
        if not isinstance(text, str) or not text.strip():
            known = ", ".join(value) if isinstance(value, dict) else type(value).__name__
            raise DataError(
                f"{path}:{line}: field `{input_field}`: no text there, found {known};"
                " --input-field NAME names another"
            )
        found = value.get(target_field) if target_field else None
        target = found if isinstance(found, str) else ""
        rows.append(SplitRow(example_id(text, target), text, target, "", line))
    if not rows:
        raise DataError(f"{path}: empty, expected at least one test row")
    return rows


def _values(path: Path) -> Iterator[tuple[int, Any]]:
    if not path.is_file():
        raise DataError(
            f"{path}: no such file; expected your test rows, JSON lines, CSV or Parquet"
        )
    if path.suffix.lower() in (".csv", ".tsv"):
        encoding = encoding_of(path)
        if encoding == "cp1252":
            # A guess, and what is read wrongly would be found equal to nothing.
            raise DataError(f"{path}: neither UTF-8 nor UTF-16; save it as CSV in UTF-8")
        yield from csv_records(path, encoding)
        return
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        try:
            yield from enumerate(pq.read_table(path).to_pylist(), start=1)
        except (ValueError, OSError) as failure:
            raise DataError(f"{path}: cannot be read as Parquet ({failure})") from None
        return
    with path.open("rb") as stream:
        for line, raw in enumerate(stream, start=1):
            if not raw.strip():
                continue
            try:
                yield line, json.loads(raw.decode("utf-8-sig" if line == 1 else "utf-8"))
            except ValueError as failure:
                raise DataError(
                    f"{path}:{line}: not JSON ({failure}); expected one object on each line,"
                    " or a .csv or .parquet file"
                ) from None
            except RecursionError:
                raise DataError(
                    f"{path}:{line}: nested too deeply; expected one object on each line"
                ) from None
