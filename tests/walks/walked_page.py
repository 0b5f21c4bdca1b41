"""What a docs page tells its reader to run, and what it shows of the output.

In a block ```console a line that begins with `$ ` begins a command; what follows belongs to it, up
to the next. A block ```text right after shows output of the last of them, in which text in square
brackets stands for whatever is left out. A comment `# exits with N` tells of a command that fails.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"(?ms)^```(\w*)\n(.*?)^```$")
_SECTION = re.compile(r"(?m)^## (.+)$")
_EXIT = re.compile(r"# exits with (\d+)$")
_PLACE = re.compile(r"\[[^\[\]\n]*[a-z][^\[\]\n]*\]")


@dataclass(frozen=True)
class Step:
    """A command of a page, where it stands, and what the page says of its end and output."""

    where: str
    section: str
    command: str
    exit_code: int
    shown: tuple[str, ...]


def steps(page: Path) -> list[Step]:
    """Read a page's commands in order."""
    return list(_steps(page))


def _steps(page: Path) -> Iterator[Step]:
    text = page.read_text(encoding="utf-8")
    blocks = list(_BLOCK.finditer(text))
    for number, block in enumerate(blocks):
        if block[1] != "console":
            continue
        line = text.count("\n", 0, block.start()) + 2
        sections = _SECTION.findall(text[: block.start()])
        commands = re.split(r"(?m)^\$ ", block[2])
        assert commands.pop(0) == "", f"{page.name}:{line}: a command begins with `$ `"
        shown: tuple[str, ...] = ()
        following = blocks[number + 1] if number + 1 < len(blocks) else None
        if following is not None and following[1] == "text":
            between = text[block.end() : following.start()]
            shown = tuple(following[2].splitlines()) if not between.strip() else ()
        for nth, command in enumerate(commands, start=1):
            told = _EXIT.search(command.rstrip())
            yield Step(
                f"{page.name}:{line}",
                sections[-1] if sections else "",
                command.rstrip(),
                int(told[1]) if told else 0,
                shown if nth == len(commands) else (),
            )
            line += command.count("\n")


def not_printed(shown: tuple[str, ...], output: str, *, exact: bool) -> list[str]:
    """List the shown lines that are no lines of the output; in any order, as DVC chooses its own.

    Without `exact` any word will do for one with a digit: a count, a share, a hash, an id.
    """
    printed = [" ".join(line.split()) for line in output.splitlines()]
    return [
        line
        for line in shown
        if (wanted := _pattern(" ".join(line.split()), exact=exact)) is not None
        and not any(wanted.fullmatch(found) for found in printed)
    ]


def _pattern(line: str, *, exact: bool) -> re.Pattern[str] | None:
    if not line or _PLACE.fullmatch(line):
        return None
    parts = [re.escape(part) for part in _PLACE.split(line)]
    if not exact:
        parts = [re.sub(r"\S*\d\S*", r"\\S+", part) for part in parts]
    return re.compile(".*".join(parts))
