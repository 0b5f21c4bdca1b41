"""What decides a training: its facts, the name they give it, and what is refused at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from llm2llm.exceptions import MachineError, StudentError
from llm2llm.files import read_json
from llm2llm.ids import Json, sha256_json
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.student.base import read_base
from llm2llm.student.batches import n_updates_for
from llm2llm.student.checkpoint import checkpoint_sha256
from llm2llm.student.classes import labels_of
from llm2llm.student.compute import device_for, too_many_processes
from llm2llm.student.versions import package_versions, sources_sha256
from llm2llm.tasks.sections import AnswerFormat, StudentFormat

_SOURCES = (
    "prompts.py",
    "seeding.py",
    "student/adapters.py",
    "student/base.py",
    "student/batches.py",
    "student/checkpoint.py",
    "student/classes.py",
    "student/collating.py",
    "student/compute.py",
    "student/early_stopping.py",
    "student/formatting.py",
    "student/halves.py",
    "student/linear.py",
    "student/losses.py",
    "student/making.py",
    "student/pretrained.py",
    "student/processes/place.py",
    "student/rows.py",
    "student/saving.py",
    "student/trainer_run.py",
    "student/training_facts.py",
)
# A classifier's targets are read as answers are.
_CLASSIFIER_SOURCES = ("answers.py", "arithmetic.py")
# These start one of several processes.
_LAUNCHED_SOURCES = ("student/processes/launcher.py", "student/processes/member.py")


@dataclass(frozen=True, slots=True)
class Training:
    """All that decides a student. `examples` and `dev` are inputs and targets, in order.

    `n_updates` null follows from the number of examples, batch size and epochs. `answer_format`
    is needed by classifiers, `dev` by early stopping; `start` names the student to go on from,
    where `continuous` is set.
    """

    examples: Sequence[tuple[str, str]]
    base_folder: Path
    student_format: StudentFormat
    params: TrainIterParams
    random_seed: int
    n_updates: int | None
    answer_format: AnswerFormat | None = None
    dev: Sequence[tuple[str, str]] = ()
    start: Path | None = None


def training_key(training: Training) -> str:
    """Name a training by all that decides its result, without importing torch."""
    sources = (
        *_SOURCES,
        *(_CLASSIFIER_SOURCES if training.params.kind == "classifier" else ()),
        *(_LAUNCHED_SOURCES if training.params.processes > 1 else ()),
    )
    return sha256_json({"training": facts_of(training), "code": sources_sha256(sources)})


def check(training: Training) -> None:
    """Refuse what can be seen to fail without torch."""
    if not training.examples:
        raise StudentError("training: found no examples, expected one at least; check the set")
    if training.params.early_stopping is not None and not training.dev:
        raise StudentError(
            "`train_iter.early_stopping`: found no dev rows, expected some to look at; name a file"
            " as `subsample.dev`, or set `early_stopping: null`"
        )
    if training.params.kind == "classifier":
        labels_of(training.answer_format)
    device = device_for(training.params.device, package_versions()["torch"])
    if training.params.quantize and device == "cpu":
        raise StudentError(
            f"`train_iter.quantize`: found {training.params.quantize!r} and no GPU, expected one;"
            " set null, or train where an NVIDIA GPU is"
        )
    if problem := too_many_processes(training.params.processes, device):
        raise MachineError(problem)
    if training.params.continuous and training.start is not None:
        _check_start(training, training.start)


def _check_start(training: Training, start: Path) -> None:
    """Refuse to go on from a student of another base or kind, or one that is damaged."""
    manifest = read_json(start / "manifest.json")
    params, expected = manifest["params"], training.params
    found = (manifest["base"]["digest"], params["kind"], params["method"])
    if found != (read_base(training.base_folder).digest, expected.kind, expected.method):
        raise StudentError(
            f"{start}: found a student of base {found[0][:12]}, kind {found[1]}, method {found[2]},"
            " expected one trained with the base model, kind and method of now; run `dvc repro`"
        )
    if not is_whole(start):
        raise StudentError(
            f"{start}: its tensors are not those of its manifest, expected them unchanged; remove"
            " the folder and run `dvc repro`"
        )


def is_whole(student: Path) -> bool:
    """Say whether the tensors are still those of the manifest: their files are links in caches."""
    manifest = read_json(student / "manifest.json")
    return bool(manifest["checkpoint_sha256"] == checkpoint_sha256(student))


def set_sha256(examples: Sequence[tuple[str, str]]) -> str:
    """Hash what a training sees of a set: inputs and targets in order, no lineage."""
    return sha256_json([list(example) for example in examples])


def facts_of(training: Training) -> dict[str, Json]:
    """Everything that decides the student's bytes, as the manifest repeats it."""
    versions = package_versions(training.params.quantize is not None)
    params = training.params.model_dump()
    if training.params.method == "full":
        del params["lora"]
    if training.params.processes == 1:
        del params["processes"]
    base = read_base(training.base_folder)
    facts: dict[str, Json] = {
        "kind": training.params.kind,
        "labels": None,
        "base": {"model": base.model, "revision": base.revision, "digest": base.digest},
        "set_sha256": set_sha256(training.examples),
        "format": training.student_format.model_dump(),
        "params": params,
        "random_seed": training.random_seed,
        "n_updates": n_updates_of(training),
        "versions": {**versions},
        "threads": training.params.threads,
        "device": device_for(training.params.device, versions["torch"]),
    }
    if training.params.kind == "classifier" and training.answer_format is not None:
        facts["labels"] = [*labels_of(training.answer_format)]
        facts["answer"] = training.answer_format.model_dump()
    if training.params.early_stopping is not None:
        facts["dev_sha256"] = set_sha256(training.dev)
    if training.params.continuous and training.start is not None:
        facts["start"] = read_json(training.start / "manifest.json")["checkpoint_sha256"]
    return facts


def n_updates_of(training: Training) -> int:
    """Count the updates that are planned."""
    if training.n_updates is not None:
        return training.n_updates
    params = training.params
    return n_updates_for(len(training.examples), params.batch_size, params.epochs)
