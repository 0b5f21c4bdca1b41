"""A task's own Python function that reads answers, run only where its file is the one named."""

import functools
import hashlib
import importlib.util
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from llm2llm.exceptions import ParamsError
from llm2llm.tasks.sections import Hook

_SHOWN = 60


def read(hook: Hook, text: str) -> str | None:
    """Read an answer in canonical form by the user's function; null where there is none.

    Raises ParamsError where the function fails, gives no text, or reads its own answer as another
    one: equal answers must be equal texts, also when they are read twice.
    """
    function = load_hook(hook)
    answer = _called(hook, function, text)
    if answer is None:
        return None
    if not isinstance(answer, str) or not answer.strip():
        raise ParamsError(
            f"`answer.hook`: {hook.function} gave {_short(answer)} for {_short(text)}, expected"
            " text, or None where there is no answer; mend the function"
        )
    again = _called(hook, function, answer)
    if again != answer:
        raise ParamsError(
            f"`answer.hook`: {hook.function} reads {_short(text)} as {_short(answer)} and that as"
            f" {_short(again)}, expected the same again; mend the function"
        )
    return answer


def load_hook(hook: Hook) -> Callable[[str], object]:
    """Import the function; raises ParamsError where it or its file is not the one named."""
    return _load(hook.folder, hook.function, hook.sha256)


@functools.cache
def _load(folder: Path, function: str, sha256: str) -> Callable[[str], object]:
    source, _, name = function.rpartition(":")
    path = folder / source if source.endswith(".py") else _file_of(source, function)
    if not path.is_file():
        raise ParamsError(
            f"`answer.hook.function`: found {function!r}, but there is no file {path}; name it as"
            " it lies beside the task file"
        )
    code = path.read_bytes()
    found = hashlib.sha256(code).hexdigest()
    if found != sha256:
        # DVC watches the section, and so, by this number, the code.
        raise ParamsError(
            f"`answer.hook.sha256`: found {sha256!r}, but {path} has {found}; if its code is what"
            " you want, set that, and what the old code graded is graded again"
        )
    module = types.ModuleType(f"llm2llm_hook_{sha256[:16]}")
    module.__file__ = str(path)
    try:
        # Not by an import, which may take bytecode of another version from the same second.
        exec(compile(code, path, "exec"), module.__dict__)  # noqa: S102 - the user's own code
    except Exception as failure:  # a user's code fails in any way; its own words help most
        raise ParamsError(
            f"`answer.hook`: {path} cannot be imported ({_told(failure)}); mend it"
        ) from failure
    loaded = getattr(module, name, None)
    if not callable(loaded):
        raise ParamsError(
            f"`answer.hook.function`: found {function!r}, but {path} has no function {name}"
        )
    return loaded  # type: ignore[no-any-return]


def _file_of(module: str, function: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        raise ParamsError(
            f"`answer.hook.function`: found {function!r}, but no module {module} is installed;"
            " install it, or name a file beside the task file, such as reading.py:read"
        )
    return Path(spec.origin)


def _called(hook: Hook, function: Callable[[str], Any], text: str) -> Any:
    try:
        return function(text)
    except Exception as failure:  # as above
        raise ParamsError(
            f"`answer.hook`: {hook.function} failed on {_short(text)} ({_told(failure)}); mend it"
        ) from failure


def _told(failure: Exception) -> str:
    return f"{type(failure).__name__}: {failure}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
