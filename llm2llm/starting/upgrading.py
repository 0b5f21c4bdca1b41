"""What an older project's files would have to become for the installed package."""

import difflib
import typing
from collections.abc import Mapping
from dataclasses import dataclass

import yaml
from pydantic import BaseModel

from llm2llm.installed import CODE
from llm2llm.params.whole import SECTIONS
from llm2llm.records.decisions import DECISIONS, NO_DECISIONS
from llm2llm.starting.params_text import add_missing, overlay
from llm2llm.starting.pipeline import pipeline_files
from llm2llm.starting.presets import WHOLE, source
from llm2llm.starting.project import FIXED, TASK, values_of_rows

IGNORED = ".gitignore"
_POOL = "stages/pool.yaml"
_PARAMS = "params.yaml"


@dataclass(frozen=True, slots=True)
class Change:
    """One file's old and new text; null is a file that is not there."""

    path: str
    old: str | None
    new: str | None

    @property
    def diff(self) -> str:
        """Show the difference as `diff -u` does."""
        return "".join(
            f"{line.rstrip()}\n"
            for line in difflib.unified_diff(
                (self.old or "").splitlines(),
                (self.new or "").splitlines(),
                f"{self.path} (this project)" if self.old is not None else "/dev/null",
                f"{self.path} (installed)" if self.new is not None else "/dev/null",
                n=1,
            )
        )


def changes(found: Mapping[str, str]) -> list[Change]:
    """Compare a project's texts, by path, with the package's; empty where all is up to date.

    A pool that was extended stays, as do people's decisions; params.yaml keeps its values and gets
    the keys that it lacks, as a new project of this task would have them, and .gitignore the lines
    that it lacks. Raises ParamsError for a params.yaml that cannot be read.
    """
    wanted: dict[str, str | None] = dict(pipeline_files())
    pool = found.get(_POOL, "")
    if len(pool.splitlines()) > len(str(wanted[_POOL]).splitlines()):
        wanted[_POOL] = pool
    ignored = found.get(IGNORED)
    wanted[IGNORED] = FIXED[IGNORED] if ignored is None else _with_lines(ignored, FIXED[IGNORED])
    wanted[str(DECISIONS)] = found.get(str(DECISIONS), NO_DECISIONS)
    if _PARAMS in found:
        own = values_of_rows(calculator=_is_arithmetic(found.get(TASK, "")))
        wanted[_PARAMS] = add_missing(found[_PARAMS], overlay(source(WHOLE), own), _is_setting)
    for path in found:
        if path.startswith(f"{CODE}/"):
            wanted.setdefault(path, None)
    return [
        Change(path, found.get(path), new)
        for path, new in sorted(wanted.items())
        if found.get(path) != new
    ]


def _is_arithmetic(task: str) -> bool:
    """Tell whether a task file asks for `<<a=b>>`; one that is broken is for `validate` to tell."""
    try:
        whole = yaml.safe_load(task)
    except yaml.YAMLError:
        return False
    validity = whole.get("validity") if isinstance(whole, dict) else None
    return isinstance(validity, dict) and validity.get("arithmetic") is True


def _with_lines(text: str, wanted: str) -> str:
    """Add the lines that are missing; the last line about a path is the one that git goes by."""
    lines, rules = text.splitlines(), wanted.splitlines()
    missing = [rule for rule in rules if rule not in lines and not rule.startswith("#")]
    if "/data/*" in missing:
        missing += [rule for rule in rules if rule.startswith("!") and rule not in missing]
    return "".join(f"{line}\n" for line in [*lines, *missing]) if missing else text


def _is_setting(path: tuple[str, ...]) -> bool:
    """Tell whether a place in params.yaml is a section's, or its field's, not a user's own key."""
    section: type[BaseModel] | None = SECTIONS.get(path[0])
    for part in path[1:]:
        if section is None or part not in section.model_fields:
            return False
        hint = section.model_fields[part].annotation
        options = [hint, *typing.get_args(hint)]
        section = next((one for one in options if hasattr(one, "model_fields")), None)
    return True
