"""The command line: every command, and how a failure is told."""

import sys

import typer

from llm2llm.cli.blame import blame
from llm2llm.cli.doctor import doctor
from llm2llm.cli.explain import explain
from llm2llm.cli.leakcheck import leakcheck
from llm2llm.cli.ledger import ledger
from llm2llm.cli.pool import pool
from llm2llm.cli.predict import predict
from llm2llm.cli.preset import preset
from llm2llm.cli.preview import preview
from llm2llm.cli.quote import quote
from llm2llm.cli.status import status
from llm2llm.cli.student import student
from llm2llm.cli.validate import validate
from llm2llm.cli.verify import verify
from llm2llm.exceptions import Llm2llmError

app = typer.Typer(
    help="Grow a small labelled set where the student fails. `dvc repro` runs the loop.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(validate)
app.command()(quote)
app.command()(preview)
app.command()(status)
app.command()(explain)
app.command()(blame)
app.command()(leakcheck)
app.command()(verify)
app.command()(predict)
app.add_typer(student, name="student")
app.add_typer(ledger, name="ledger")
app.add_typer(preset, name="preset")
app.command()(pool)
app.command()(doctor)


def main() -> None:
    """Run one command; a failure is one message on standard error and an exit code."""
    try:
        app()
    except Llm2llmError as failure:
        print(f"error: {failure}", file=sys.stderr)
        raise SystemExit(failure.exit_code) from None
    except OSError as failure:
        print(f"error: {failure}", file=sys.stderr)
        raise SystemExit(8) from None
