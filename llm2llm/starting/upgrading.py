"""What an older project's files would have to become for the installed package."""

import difflib
import typing
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from llm2llm.installed import CODE
from llm2llm.params.whole import SECTIONS
from llm2llm.records.decisions import DECISIONS, NO_DECISIONS
from llm2llm.starting.params_text import add_missing
from llm2llm.starting.pipeline import pipeline_files
from llm2llm.starting.presets import WHOLE, source

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
    the keys that it lacks, as the quick start has them.
    """
    wanted: dict[str, str | None] = dict(pipeline_files())
    pool = found.get(_POOL, "")
    if len(pool.splitlines()) > len(str(wanted[_POOL]).splitlines()):
        wanted[_POOL] = pool
    wanted[str(DECISIONS)] = found.get(str(DECISIONS), NO_DECISIONS)
    if _PARAMS in found:
        wanted[_PARAMS] = add_missing(found[_PARAMS], source(WHOLE), _is_setting)
    for path in found:
        if path.startswith(f"{CODE}/"):
            wanted.setdefault(path, None)
    return [
        Change(path, found.get(path), new)
        for path, new in sorted(wanted.items())
        if found.get(path) != new
    ]


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
