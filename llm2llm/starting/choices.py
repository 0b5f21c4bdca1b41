"""Which student and which teacher a new project gets, from names, folders and addresses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm.exceptions import ParamsError
from llm2llm.starting.presets import names, student_preset, teacher_preset

_DEFAULT_STUDENT = {"label": "minilm", "choice": "minilm"}
_DEFAULT_CAUSAL = "qwen-0.5b"
_DEFAULT_TEACHER = "openai"


@dataclass(frozen=True)
class StudentChoice:
    """A student's name, what it changes in params.yaml, and how the task's prompt is written."""

    name: str
    params: Mapping[str, Any]
    classifier: bool
    chat: bool


@dataclass(frozen=True)
class TeacherChoice:
    """A teacher's name, what it changes in params.yaml, and what to do before it is asked."""

    name: str
    params: Mapping[str, Any]
    note: str | None


def choose_student(student: str | None, model: str | None, kind: str) -> StudentChoice:
    """Take a preset, or the settings that fit a model's folder; `model` replaces a preset's model.

    Raises ParamsError for a name that is neither, and for a classifier that would have no labels.
    """
    folder: Path | None = None
    if student is not None and student not in names("students"):
        folder = Path(student).expanduser()
        if not folder.is_dir():
            raise ParamsError(
                f"--student: found {student!r}, expected one of {', '.join(names('students'))}, or"
                " the folder of a model; for another model of a hub say the nearest of these and"
                f" --model {student}"
            )
        if model is not None:
            raise ParamsError("--model: --student names a folder already; leave one of them out")
        student = None
    elif model is not None and Path(model).expanduser().is_dir():
        folder = Path(model).expanduser()
    if student is None and folder is not None:
        student = _DEFAULT_CAUSAL if _is_causal(folder) else "minilm"
    name = student or _DEFAULT_STUDENT.get(kind, _DEFAULT_CAUSAL)
    preset = student_preset(name)
    if preset.is_classifier and kind not in _DEFAULT_STUDENT:
        causal = [each for each in names("students") if not student_preset(each).is_classifier]
        raise ParamsError(
            f"--student: {name} is a classifier, which gives labels only, and the targets are of"
            f" the kind {kind}; expected one of {', '.join(causal)}"
        )
    params = {section: dict(values) for section, values in preset.params.items()}
    if folder is not None:
        params["base_model"]["model"] = str(folder.resolve())
    elif model is not None:
        if model.startswith((".", "/", "~")):
            raise ParamsError(f"--model: found {model!r}, no such folder; check the path")
        params["base_model"]["model"] = model
    chat = preset.chat if folder is None else preset.chat and _has_chat_template(folder)
    return StudentChoice(name, params, preset.is_classifier, chat)


def choose_teacher(teacher: str | None, model: str | None, key_env: str | None) -> TeacherChoice:
    """Take a preset, or the endpoint at an address; `model` and `key_env` replace the preset's."""
    name = teacher or _DEFAULT_TEACHER
    if name.startswith(("http://", "https://")):
        if model is None:
            raise ParamsError(
                f"--teacher-model: missing, expected the name of the model at {name}, as that"
                " endpoint calls it"
            )
        endpoint: dict[str, Any] = {"base_url": name, "model": model, "api_key_env": key_env}
        note = None if key_env is None else f"export {key_env}=..."
        params = {"teacher_batch": {"backend": "openai", "openai": endpoint}}
        return TeacherChoice(name, params, note)
    if name not in names("teachers"):
        raise ParamsError(
            f"--teacher: found {name!r}, expected one of {', '.join(names('teachers'))}, or an"
            " address such as http://127.0.0.1:8000/v1"
        )
    preset = teacher_preset(name)
    changes = {"model": model, "api_key_env": key_env}
    changes = {key: value for key, value in changes.items() if value is not None}
    teaching = dict(preset.params["teacher_batch"])
    if changes and "openai" not in teaching:
        raise ParamsError(
            f"--teacher: {name} asks no model; leave --teacher-model and --key-env out"
        )
    if changes:
        teaching["openai"] = {**teaching["openai"], **changes}
    return TeacherChoice(name, {**preset.params, "teacher_batch": teaching}, preset.note)


def _is_causal(folder: Path) -> bool:
    architectures = _json(folder, "config.json").get("architectures") or []
    return any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures)


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    path = "tokenizer_config.json"
    return (folder / path).is_file() and bool(_json(folder, path).get("chat_template"))


def _json(folder: Path, name: str) -> dict[str, Any]:
    try:
        loaded = json.loads((folder / name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{folder}: has no {name}, expected the folder of a model") from None
    except ValueError as failure:
        raise ParamsError(f"{folder / name}: not JSON ({failure}); fetch the model again") from None
    return loaded if isinstance(loaded, dict) else {}
