"""A group of commands of which each is imported when it is called."""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

_WHOLE = 500  # characters of a help text


class LazyCommands(MutableMapping[str, Any]):
    """Commands by name; the module of that name is imported when one is looked up.

    So that a question about a run does not wait for what other commands import.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = dict.fromkeys(names)

    def __getitem__(self, name: str) -> Any:
        """Import and build a command; raises KeyError for a name that is none."""
        if name not in self._names:
            raise KeyError(name)
        if self._names[name] is None:
            self._names[name] = _built(name)
        return self._names[name]

    def __setitem__(self, name: str, command: Any) -> None:
        """Add a command that is there already."""
        self._names[name] = command

    def __delitem__(self, name: str) -> None:
        """Remove a command."""
        del self._names[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names, in the order of the help."""
        return iter(self._names)

    def __len__(self) -> int:
        """Count the commands."""
        return len(self._names)


def _built(name: str) -> Any:
    attribute = name.replace("-", "_")
    found = getattr(import_module(f"llm2llm.cli.{attribute}"), attribute)
    holder = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
    if isinstance(found, typer.Typer):
        holder.add_typer(found, name=name)
    else:
        holder.command(name)(found)
    command: Any = get_group(holder).commands[name]
    for each in getattr(command, "commands", {}).values():
        each.short_help = each.get_short_help_str(_WHOLE)  # in lines, where it would be cut off
    return command


def _told(command: Any, limit: int) -> str:
    """Say what a command is for in one line; of a longer sentence by its first part."""
    whole = command.get_short_help_str(_WHOLE)
    told = whole if len(whole) <= limit else f"{re.split('[;:]', whole)[0].rstrip('.')}."
    return told if len(told) <= limit else str(command.get_short_help_str(limit))


def lazy_group(parts: Mapping[str, tuple[str, ...]]) -> type[TyperGroup]:
    """Make the class of a group that has the commands of these names, by part of its help."""

    class LazyGroup(TyperGroup):
        def __init__(self, **attributes: Any) -> None:
            super().__init__(**attributes)
            self.commands = LazyCommands(tuple(name for part in parts.values() for name in part))

        def format_commands(self, _: Any, formatter: Any) -> None:
            """Write each part under its title, all in two columns of one width."""
            width = max(map(len, self.commands))
            limit = formatter.width - width - 6
            for title, names in parts.items():
                with formatter.section(title):
                    formatter.write_dl(
                        [(name.ljust(width), _told(self.commands[name], limit)) for name in names]
                    )

    return LazyGroup
