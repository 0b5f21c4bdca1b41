"""Which student and which teacher a new project gets, from names, folders and addresses."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from llm2llm.exceptions import ParamsError
from llm2llm.params.loading import check
from llm2llm.params.openai_chat import OpenAIChatParams
from llm2llm.starting.presets import WHOLE, names, source, student_preset, teacher_preset

# Of the hub: a name, or the owner's before it.
HUB_ID = re.compile(r"(?:[\w.-]+/)?[\w.-]+", re.ASCII)
_DEFAULT_STUDENT = {"label": "minilm", "choice": "minilm"}
_TARGETS = {"labels": "sets of labels (the kind labels)"}
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
            f"--student: {folder or name} is a classifier, which gives one label to a text, and"
            f" the targets are {_TARGETS.get(kind, f'of the kind {kind}')}; expected one of"
            f" {', '.join(causal)}"
        )
    params = {section: dict(values) for section, values in preset.params.items()}
    if folder is not None:
        params["base_model"]["model"] = str(folder.resolve())
    elif model is not None:
        if _looks_like_path(model):
            raise ParamsError(
                f"--model: found {model!r}, no such folder, expected one, or the id of a hub's"
                " model, such as Qwen/Qwen2.5-0.5B-Instruct; check the path"
            )
        if not HUB_ID.fullmatch(model):
            raise ParamsError(
                f"--model: found {model!r}, expected the id of a hub's model, such as"
                " Qwen/Qwen2.5-0.5B-Instruct, or a folder"
            )
        params["base_model"]["model"] = model
    chat = preset.chat if folder is None else preset.chat and _has_chat_template(folder)
    told = name if folder is None else f"{folder}, as {name}"
    return StudentChoice(told, params, preset.is_classifier, chat)


def choose_teacher(teacher: str | None, model: str | None, key_env: str | None) -> TeacherChoice:
    """Take a preset, or the endpoint at an address; `model` and `key_env` replace the preset's."""
    name = teacher or _DEFAULT_TEACHER
    if "://" in name:
        _require_endpoint({"base_url": name})
        if model is None:
            raise ParamsError(
                f"--teacher-model: missing, expected the name of the model at {name}, as that"
                " endpoint calls it"
            )
        endpoint: dict[str, Any] = {"base_url": name, "model": model, "api_key_env": key_env}
        _require_endpoint(endpoint)
        note = None if key_env is None else f"export {key_env}=..."
        params = {"teacher_batch": {"backend": "openai", "openai": endpoint}}
        return TeacherChoice(name, params, note)
    if name not in names("teachers"):
        raise ParamsError(
            f"--teacher: found {name!r}, expected one of {', '.join(names('teachers'))}, or an"
            " address such as http://127.0.0.1:8000/v1"
        )
    preset = teacher_preset(name)
    given = {"model": model, "api_key_env": key_env}
    changes = {key: value for key, value in given.items() if value is not None}
    teaching = dict(preset.params["teacher_batch"])
    if changes and "openai" not in teaching:
        raise ParamsError(
            f"--teacher: {name} asks no model; leave --teacher-model and --key-env out"
        )
    note = preset.note
    if changes:
        _require_endpoint(changes)
        for key, value in changes.items():
            note = (note or "").replace(str(teaching["openai"][key]), value) or None
        teaching["openai"] = {**teaching["openai"], **changes}
    return TeacherChoice(name, {**preset.params, "teacher_batch": teaching}, note)


def _require_endpoint(told: Mapping[str, Any]) -> None:
    """Raise ParamsError, without what was found, where a secret would be written to params.yaml."""
    flags = {"base_url": "--teacher", "model": "--teacher-model", "api_key_env": "--key-env"}
    whole = yaml.safe_load(source(WHOLE))["teacher_batch"]["openai"]
    for key, value in told.items():
        _, problems = check(OpenAIChatParams, {**whole, key: value}, "", Path())
        if problems:
            expected = problems[0].rpartition("expected: ")[2]
            if key == "api_key_env" and value is not None:
                expected = (
                    "the name of an environment variable in capitals, such as OPENAI_API_KEY, which"
                    " holds the key; the key itself is written nowhere"
                )
            raise ParamsError(f"{flags[key]}: expected {expected}")


def _looks_like_path(model: str) -> bool:
    """Tell a mistyped folder from a hub id, which has one slash at most."""
    first = model.split("/", 1)[0]
    return (
        model.startswith((".", "/", "~"))
        or model.count("/") > 1
        or ("/" in model and Path(first).is_dir())
    )


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
