"""Ready-made params: whole projects, and the student and the teacher of one."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from llm2llm.exceptions import ParamsError
from llm2llm.params.measuring import MeasuringParams
from llm2llm.params.section import Section
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.starting.params_text import overlay
from llm2llm.student.memory import Shape, prediction_need, training_need

# The one complete preset; the others name only what they change in it.
WHOLE = "quickstart"
# What a row is taken to have where none is there to look at.
ROW_TOKENS = 256


class StudentShape(Section):
    """The model's shape as `student.memory` knows it; null: a model made on the spot."""

    n_parameters: int
    n_linear: int
    linear_edges: int
    hidden: int
    intermediate: int
    layers: int
    vocabulary: int
    kv_width: int
    context: int


class StudentPreset(Section):
    """A model and how it is trained; `chat`: it was made to answer in its own chat template."""

    chat: bool
    shape: StudentShape | None
    params: dict[str, Any]

    @property
    def is_classifier(self) -> bool:
        """Whether it gives labels only."""
        return bool(self.params["train_iter"].get("kind") == "classifier")


class TeacherPreset(Section):
    """How to reach a teacher; `note` is what to run before it can be asked, if anything."""

    note: str | None
    params: dict[str, Any]


def names(folder: str = "") -> list[str]:
    """Name the presets of one sort (students, teachers, or none for whole projects)."""
    place = files("llm2llm") / "presets" / folder
    found = sorted(p.name.removesuffix(".yaml") for p in place.iterdir() if p.name[-5:] == ".yaml")
    return sorted(found, key=lambda name: name != WHOLE)


def about(name: str, folder: str = "") -> str:
    """Say what a preset is for."""
    return source(name, folder).splitlines()[0].removeprefix("# ")


def source(name: str, folder: str = "") -> str:
    """Give the text of a preset's file; raises ParamsError where there is none."""
    known = names(folder)
    if name not in known:
        sort = folder.removesuffix("s") or "preset"
        raise ParamsError(f"{sort} {name!r}: not known; the {sort}s are {', '.join(known)}")
    return (files("llm2llm") / "presets" / folder / f"{name}.yaml").read_text(encoding="utf-8")


def render(name: str, train: Path | None = None, test: Path | None = None) -> str:
    """Give the text of params.yaml for a whole preset, comments included."""
    text = source(name)
    changes: dict[str, Any] = {} if name == WHOLE else yaml.safe_load(text)
    raw: dict[str, Any] = changes.setdefault("subsample", {})
    for key, path in (("train", train), ("test", test)):
        if path is not None:
            raw[key] = str(path)
    if not raw:
        del changes["subsample"]
    return overlay(source(WHOLE), changes)


def student_preset(name: str) -> StudentPreset:
    """Read a student's preset."""
    return StudentPreset.model_validate(yaml.safe_load(source(name, "students")))


def teacher_preset(name: str) -> TeacherPreset:
    """Read a teacher's preset."""
    return TeacherPreset.model_validate(yaml.safe_load(source(name, "teachers")))


def memory_of(preset: StudentPreset) -> dict[str, int]:
    """Estimate bytes for training on a CPU and on a GPU, and for prediction on a GPU.

    Rows are taken to have 256 tokens. A student in 4 bits has no estimate for a CPU, which cannot
    train it; one that is made on the spot has none at all.
    """
    if preset.shape is None:
        return {}
    shape = Shape(**preset.shape.model_dump())
    whole = yaml.safe_load(overlay(source(WHOLE), preset.params))
    train = TrainIterParams.model_validate(whole["train_iter"])
    predict = MeasuringParams.model_validate(whole["predict"])
    found = {}
    for device in ("cpu", "cuda"):
        if device == "cuda" or train.quantize is None:
            need = training_need(shape, train, ROW_TOKENS, bf16=device == "cuda", device=device)
            found[f"training_{device}"] = need.total
    answering = prediction_need(shape, predict.batch_size, 2 * ROW_TOKENS, bf16=True, device="cuda")
    return {**found, "prediction_cuda": answering.total}
