"""What every command prints with: tables on a terminal, plain lines elsewhere, JSON on demand."""

import dataclasses
import json
import sys
import unicodedata
from collections.abc import Sequence
from typing import Any


def print_json(value: Any) -> None:
    """Print a dataclass as one JSON document."""
    print(json.dumps(dataclasses.asdict(value), indent=2, ensure_ascii=False, sort_keys=True))


def heading(text: str) -> None:
    """Print a title, after an empty line."""
    print()
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.text import Text

        Console(highlight=False).print(Text(printable(text), style="bold"))
    else:
        print(printable(text))


def table(names: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their names; null shows as `-`."""
    cells = [["-" if cell is None else printable(str(cell)) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        shown = Table(box=None, pad_edge=False, header_style="bold")
        for name in names:
            shown.add_column(name)
        for row in cells:
            shown.add_row(*(Text(cell) for cell in row))
        Console(highlight=False).print(shown)
        return
    widths = [max(len(line[k]) for line in [names, *cells]) for k in range(len(names))]
    for line in [names, *cells]:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())


def block(name: str, text: str) -> None:
    """Print a text that may have several lines, set in under its name."""
    print(f"  {name}:")
    for line in printable(text).splitlines() or [""]:
        print(f"    {line}".rstrip())


def fact(name: str, value: object) -> None:
    """Print one value beside its name; null is passed over."""
    if value is not None:
        print(f"  {name}: {printable(str(value))}")


def percent(n_right: int | None, n: int | None) -> str | None:
    """Write a share of right answers in percent; null where it is not known."""
    return None if n_right is None or not n else f"{100 * n_right / n:.1f}"


def printable(text: str) -> str:
    """Show control and direction characters as escapes: no text may steer the terminal."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cf", "Cs"):
        return character
    return character.encode("unicode_escape").decode()
