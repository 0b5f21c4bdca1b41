"""Change YAML text line by line, so that every comment stays where it is."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import yaml

from llm2llm.exceptions import ParamsError

Path = tuple[str, ...]


def overlay(text: str, changes: dict[str, Any]) -> str:
    """Replace values; a value that stood on lines of its own goes with them."""
    lines = text.splitlines()
    kept: list[str] = []
    wanted = dict(_leaves(changes, ()))
    replaced: int | None = None  # how far in the key stands whose old lines are passed over
    places = {index: (indent, path) for index, indent, path in _keys(lines)}
    for index, line in enumerate(lines):
        indent, path = places.get(index, (len(line) - len(line.lstrip()), ()))
        if replaced is not None and (indent > replaced or not line.strip()):
            continue
        replaced = None
        if path in wanted:
            value = _written(wanted.pop(path))
            comment = line[line.index("  #") :] if "  #" in line else ""
            line = f"{' ' * indent}{path[-1]}: {value}{comment}"
            following = lines[index + 1] if index + 1 < len(lines) else ""
            if len(following) - len(following.lstrip()) > indent:
                replaced = indent
        kept.append(line)
    if wanted:
        raise ParamsError(f"preset: no such key {'.'.join(next(iter(wanted)))} in params.yaml")
    return "\n".join(kept) + "\n"


def put_section(text: str, path: Path, section: dict[str, Any]) -> str:
    """Put a whole section where the text has null on one line; the line's comment stays."""
    lines = text.splitlines()
    found = next(((at, indent) for at, indent, key in _keys(lines) if key == path), None)
    if found is None:
        raise ParamsError(f"preset: no such key {'.'.join(path)} in params.yaml")
    at, indent = found
    comment = lines[at][lines[at].index("  #") :] if "  #" in lines[at] else ""
    written = yaml.safe_dump(section, sort_keys=False, allow_unicode=True, width=10_000)
    below = [" " * (indent + 2) + line for line in written.splitlines()]
    lines[at : at + 1] = [f"{' ' * indent}{path[-1]}:{comment}", *below]
    return "\n".join(lines) + "\n"


def add_missing(text: str, template: str, is_setting: Callable[[Path], bool]) -> str:
    """Add the settings that only the template has, with its values and comments, in their places.

    `is_setting` tells settings from keys that are a user's to choose. A section that is written on
    one line stays as it is. Raises ParamsError for a text that holds no sections.
    """
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as failure:
        reason = " ".join(str(failure).split())
        raise ParamsError(f"params.yaml: not YAML ({reason}); mend it, and try again") from None
    if not isinstance(values, dict):
        found = "nothing" if values is None else type(values).__name__
        raise ParamsError(
            f"params.yaml: found {found}, expected sections; bring it back with"
            " `git checkout params.yaml`, or write it anew with `llm2llm preset use quickstart`"
        )
    lines = text.splitlines()
    source = template.splitlines()
    keys = list(_keys(source))
    for place, (index, indent, path) in enumerate(keys):
        if not is_setting(path) or not _lacks(values, path):
            continue
        if len(path) > 1 and path[:-1] not in _on_lines(lines):
            continue
        ends = (k for k, deep, _ in keys[place + 1 :] if deep <= indent)
        block = source[index : next(ends, len(source))]
        while block and not block[-1].strip():
            block.pop()
        before = [path_ for _, _, path_ in keys[:place] if path_[:-1] == path[:-1]]
        at = _end_of(lines, before[-1] if before else path[:-1])
        lines[at:at] = ["", *block] if len(path) == 1 else block
        values = yaml.safe_load("\n".join(lines))
    return "\n".join(lines) + "\n"


def _written(value: Any) -> str:
    if isinstance(value, float) and "e" in repr(value) and "." not in repr(value):
        return repr(value).replace("e", ".0e")  # YAML takes 5e-05 for a text
    if isinstance(value, str) and "#" not in value and "\n" not in value:
        try:
            if yaml.safe_load(f"a: {value}") == {"a": value}:
                return value
        except yaml.YAMLError:
            pass  # it needs quotes
    return json.dumps(value, ensure_ascii=False)


def _lacks(values: Any, path: Path) -> bool:
    """Tell whether a key is missing from a section that is written on lines and is there."""
    for part in path[:-1]:
        values = values.get(part) if isinstance(values, dict) else None
    return isinstance(values, dict) and path[-1] not in values


def _on_lines(lines: list[str]) -> set[Path]:
    """Name the sections whose keys stand on lines of their own."""
    return {
        path for index, _, path in _keys(lines) if lines[index].split("#", 1)[0].rstrip()[-1] == ":"
    }


def _end_of(lines: list[str], path: Path) -> int:
    """Find the line after a key and all below it; the end where it is not there."""
    keys = list(_keys(lines))
    for place, (index, indent, found) in enumerate(keys):
        if found != path:
            continue
        end = next((k for k, deep, _ in keys[place + 1 :] if deep <= indent), len(lines))
        while end > index + 1 and (
            not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")
        ):
            end -= 1
        return end
    return len(lines)


def _keys(lines: list[str]) -> Iterator[tuple[int, int, Path]]:
    """Yield line number, indent and path of every key that begins a line."""
    above: list[tuple[int, str]] = []
    for index, line in enumerate(lines):
        body = line.split("#", 1)[0].rstrip()
        if ":" not in body or body.lstrip().startswith("- "):
            continue
        indent = len(body) - len(body.lstrip())
        above = [entry for entry in above if entry[0] < indent]
        above.append((indent, body.strip().split(":", 1)[0]))
        yield index, indent, tuple(name for _, name in above)


def _leaves(values: dict[str, Any], path: Path) -> list[tuple[Path, Any]]:
    found: list[tuple[Path, Any]] = []
    for key, value in values.items():
        if isinstance(value, dict) and value:
            found += _leaves(value, (*path, key))
        else:
            found.append(((*path, key), value))
    return found
