"""Read sections of YAML files into strict models, all problems of a file at once."""

import difflib
import shlex
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from llm2llm.exceptions import ParamsError

Model = TypeVar("Model", bound=BaseModel)

_PARAMS = "params.yaml"


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; raises ParamsError that names the line of a syntax error."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(_not_there(path)) from None
    except yaml.MarkedYAMLError as failure:
        # In full the failure shows the line, in which a secret may stand.
        mark = failure.problem_mark
        where = "" if mark is None else f" line {mark.line + 1}, column {mark.column + 1}:"
        raise ParamsError(f"{path}: cannot be read as YAML:{where} {failure.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as failure:
        raise ParamsError(f"{path}: cannot be read as YAML: {failure}") from None
    if not isinstance(loaded, dict):
        raise ParamsError(f"{path}: found {type(loaded).__name__}, expected a mapping of sections")
    return loaded


def _not_there(path: Path) -> str:
    """Say what brings a file back, or where the project is."""
    root = path.parent.resolve()
    if path.name != _PARAMS:
        return f"{path}: no such file; `git checkout {path}` brings back what was committed"
    if (root / "dvc.yaml").is_file():
        return (
            f"{path}: no such file; `git checkout {path}` brings back what was committed, and"
            " `llm2llm preset use quickstart` writes that of the default run"
        )
    above = next((p for p in root.parents if (p / _PARAMS).is_file()), None)
    if above is not None and (above / "dvc.yaml").is_file():
        root_of_it = shlex.quote(str(above))
        return f"{path}: no such file; this is no project's root, so `cd {root_of_it}` first"
    return (
        f"{path}: no such file, so no project is here; go to yours, or make one with `llm2llm init`"
    )


def load_section(path: Path, name: str, model: type[Model]) -> Model:
    """Load one section of a YAML file; raises ParamsError that lists every problem in it."""
    values = read_yaml(path)
    if name not in values:
        raise ParamsError(f"{path}: section `{name}` is missing; try `llm2llm validate`")
    loaded, problems = check(model, values[name], name, path.parent)
    if loaded is None:
        raise ParamsError("\n".join(f"{path}: {problem}" for problem in problems))
    return loaded


def load_value(path: Path, name: str, kind: type[Any]) -> Any:
    """Load one top-level scalar, such as `iterations`, `random_seed` or `task`."""
    values = read_yaml(path)
    value = values.get(name)
    if type(value) is not kind:
        raise ParamsError(f"{path}: `{name}`: found {value!r}, expected {kind.__name__}")
    return value


def check(
    model: type[Model], values: Any, name: str, folder: Path
) -> tuple[Model | None, list[str]]:
    """Check values against a model: the model, or one line per problem, never both.

    `folder` is that of the file, beside which a section may name others.
    """
    try:
        return model.model_validate(values, context={"folder": folder}), []
    except ValidationError as failure:
        return None, [_line(name, dict(error), model) for error in failure.errors()]


def nearest(name: object, known: list[str]) -> str:
    """Ask whether the nearest known name was meant; list all where none is near."""
    near = difflib.get_close_matches(str(name), known, n=1)
    return f"; did you mean `{near[0]}`?" if near else f"; known: {', '.join(known)}"


def _line(name: str, error: dict[str, Any], model: type[BaseModel]) -> str:
    where = ".".join([name, *(str(part) for part in error["loc"])]).strip(".")
    fields, section = _walk(model, error["loc"])
    if error["type"] == "extra_forbidden":
        _, holder = _walk(model, error["loc"][:-1])
        known = sorted(holder.model_fields) if holder else []
        return f"`{where}`: unknown key{nearest(str(error['loc'][-1]), known)}"
    if error["type"] == "missing":
        return f"`{where}`: missing"
    expected = error["msg"].removeprefix("Value error, ")
    expected = expected[:1].lower() + expected[1:]
    found = _found(error, is_section=section is not None)
    if not found or any(not field.repr for field in fields):
        return f"`{where}`: expected: {expected}"
    return f"`{where}`: found {found}, expected: {expected}"


def _found(error: dict[str, Any], *, is_section: bool) -> str:
    """Show the value; of a section its kind alone, and nothing where its fields disagree."""
    value = error["input"]
    if not is_section and not isinstance(value, dict):
        return repr(value)
    return "" if error["type"] == "value_error" else type(value).__name__


def _walk(
    model: type[BaseModel], path: tuple[Any, ...]
) -> tuple[list[FieldInfo], type[BaseModel] | None]:
    """Give the fields on the way to a place, and the section that the place is, if it is one."""
    fields: list[FieldInfo] = []
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int):
            continue  # a place in a list, of whose sections `current` is already
        field = None if current is None else current.model_fields.get(part)
        if field is None:
            return fields, None
        fields.append(field)
        options = [field.annotation, *typing.get_args(field.annotation)]
        current = next((o for o in options if hasattr(o, "model_fields")), None)
    return fields, current
