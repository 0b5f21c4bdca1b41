"""Read sections of YAML files into strict models, all problems of a file at once."""

import difflib
import typing
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from llm2llm.exceptions import ParamsError

Model = TypeVar("Model", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping; raises ParamsError that names the line of a syntax error."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ParamsError(f"{path}: no such file; try `llm2llm preset use quickstart`") from None
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as failure:
        raise ParamsError(f"{path}: cannot be read as YAML: {failure}") from None
    if not isinstance(loaded, dict):
        raise ParamsError(f"{path}: found {type(loaded).__name__}, expected a mapping of sections")
    return loaded


def load_section(path: Path, name: str, model: type[Model]) -> Model:
    """Load one section of a YAML file; raises ParamsError that lists every problem in it."""
    values = read_yaml(path)
    if name not in values:
        raise ParamsError(f"{path}: section `{name}` is missing; try `llm2llm validate`")
    loaded, problems = check(model, values[name], name)
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


def check(model: type[Model], values: Any, name: str) -> tuple[Model | None, list[str]]:
    """Check values against a model: the model, or one line per problem, never both."""
    try:
        return model.model_validate(values), []
    except ValidationError as failure:
        return None, [_line(name, dict(error), model) for error in failure.errors()]


def _line(name: str, error: dict[str, Any], model: type[BaseModel]) -> str:
    where = ".".join([name, *(str(part) for part in error["loc"])]).strip(".")
    if error["type"] == "extra_forbidden":
        known = _fields_at(model, error["loc"][:-1])
        near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else f"; known keys: {', '.join(known)}"
        return f"`{where}`: unknown key{hint}"
    if error["type"] == "missing":
        return f"`{where}`: missing"
    return f"`{where}`: found {error['input']!r}, expected: {error['msg'].lower()}"


def _fields_at(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    current: Any = model
    for part in path:
        field = getattr(current, "model_fields", {}).get(part)
        if field is None:
            return []
        options = [field.annotation, *typing.get_args(field.annotation)]
        current = next((o for o in options if hasattr(o, "model_fields")), None)
        if current is None:
            return []
    return sorted(getattr(current, "model_fields", {}))
