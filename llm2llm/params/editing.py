"""Add entries to an exclusion list in the text of params.yaml, all else left as it stands."""

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml

from llm2llm.exceptions import ParamsError
from llm2llm.params.exclude import Exclusion


def with_entries(text: str, section: str, entries: Sequence[Exclusion]) -> str:
    """Give the text with entries added to `exclude` of a section, comments and layout kept.

    Raises ParamsError where the list is written in a way that cannot be added to line by line.
    """
    values = yaml.safe_load(text)
    by_hand = ParamsError(
        f"params.yaml: `{section}.exclude`: cannot be added to as it is written; add by hand:\n"
        + "\n".join(_line("    ", entry) for entry in entries)
    )
    try:
        before = values[section]["exclude"]
        lines = text.splitlines()
        at = _place(lines, section)
    except (KeyError, TypeError, ValueError, StopIteration):
        raise ParamsError(
            f"params.yaml: `{section}.exclude`: missing; add the line `exclude: []` to section"
            f" `{section}`, and ask again"
        ) from None
    match = re.fullmatch(r"(\s*)exclude:[ \t]*(\[.*\])?([ \t]+#.*)?", lines[at])
    if match is None:
        raise by_hand
    indent, flow, comment = match.group(1), match.group(2), match.group(3) or ""
    inner = indent + "  "
    if flow is None:
        end = _end(lines, at, indent)
        items = [line for line in lines[at + 1 : end] if line.lstrip().startswith("- ")]
        inner = items[0][: len(items[0]) - len(items[0].lstrip())] if items else inner
        lines[end:end] = [_line(inner, entry) for entry in entries]
    else:
        old = [f"{inner}- {json.dumps(entry, ensure_ascii=False)}" for entry in before]
        lines[at : at + 1] = [
            f"{indent}exclude:{comment}",
            *old,
            *(_line(inner, entry) for entry in entries),
        ]
    changed = "\n".join(lines) + "\n"
    listed = [*before, *map(_values, entries)]
    wanted = {**values, section: {**values[section], "exclude": listed}}
    if _loaded(changed) != wanted:
        raise by_hand
    return changed


def _place(lines: Sequence[str], section: str) -> int:
    """Find the line of a section's `exclude`; raises ValueError where there is none."""
    start = next(k for k, line in enumerate(lines) if re.match(rf"{section}:\s*(#.*)?$", line))
    for place in range(start + 1, len(lines)):
        if re.match(r"\S", lines[place]) and not lines[place].startswith("#"):
            break
        if re.match(r"\s+exclude:", lines[place]):
            return place
    raise ValueError(section)


def _end(lines: Sequence[str], at: int, indent: str) -> int:
    """Find the line after the list's last one; a dash may stand as far left as the key."""
    end = at + 1
    for place in range(at + 1, len(lines)):
        line = lines[place]
        bare = line.lstrip()
        if not bare or bare.startswith("#"):
            continue
        own = line[: len(line) - len(bare)]
        if len(own) <= len(indent) and not (own == indent and bare.startswith("- ")):
            break
        end = place + 1
    return end


def _line(indent: str, entry: Exclusion) -> str:
    pairs = [f"{k}: {json.dumps(v, ensure_ascii=False)}" for k, v in _values(entry).items()]
    return f"{indent}- {{{', '.join(pairs)}}}"


def _values(entry: Exclusion) -> dict[str, Any]:
    return entry.model_dump(exclude_none=True)


def _loaded(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None
