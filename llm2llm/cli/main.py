"""The command line: every command, and how a failure is told."""

import io
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from llm2llm.cli.lazy import lazy_group
from llm2llm.exceptions import Llm2llmError, MachineError
from llm2llm.extras import missing

# The help's parts, in the order of a project's life; each command is in the module of its name.
COMMANDS = {
    "Start": ("init", "task", "preset"),
    "Check, before anything is paid for": ("validate", "preview", "quote"),
    "Run, with dvc repro": ("status", "pool"),
    "Look": ("explain", "blame", "review", "withdraw", "diff"),
    "Use": ("predict", "student"),
    "Hand over": ("leakcheck", "verify", "push"),
    "Mend": ("doctor", "ledger", "upgrade"),
}

app = typer.Typer(
    cls=lazy_group(COMMANDS),
    help="Grow a small labelled set where the student fails. `dvc repro` runs the loop.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(asked: bool) -> None:
    if asked:
        print(f"llm2llm {version('llm2llm')}")
        raise typer.Exit


@app.callback()
def _all(
    asked: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit."),
    ] = False,
) -> None:
    """Take no options but these and the completion's; the help stands above."""


def main() -> None:
    """Run one command; a failure is one message on standard error and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        # No text of a user's ends a command on a terminal that cannot show it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except Llm2llmError as failure:
        print(f"error: {failure}", file=sys.stderr)
        raise SystemExit(failure.exit_code) from None
    except OSError as failure:
        hint = "; check the path, its permissions and the disk" if failure.filename else ""
        print(f"error: {failure}{hint}", file=sys.stderr)
        raise SystemExit(8) from None
    except ModuleNotFoundError as failure:
        told = missing(failure)
        if told is None:
            raise
        print(f"error: {told}", file=sys.stderr)
        raise SystemExit(MachineError.exit_code) from None
