"""`llm2llm upgrade`: bring an older project's stages up to the installed package."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from llm2llm.exceptions import MachineError, ParamsError
from llm2llm.files import write_text
from llm2llm.installed import CODE
from llm2llm.records.decisions import DECISIONS
from llm2llm.stage import PARAMS
from llm2llm.starting.project import TASK
from llm2llm.starting.upgrading import IGNORED, Change, changes


def upgrade(
    yes: Annotated[bool, typer.Option("--yes", help="Write without asking.")] = False,
    json_: Annotated[
        bool, typer.Option("--json", help="Print one JSON document; writes with --yes only.")
    ] = False,
) -> None:
    """Bring this project's stages up to the installed llm2llm's; show the difference first.

    dvc.yaml, stages/ and the listings of code become the package's; params.yaml keeps your values
    and gets new keys, .gitignore new lines. Nothing runs: `dvc repro` then runs what it concerns.

    Example: llm2llm upgrade --yes
    """
    if not CODE.is_dir():
        raise ParamsError(
            f"{CODE}: no such folder, so this is no project that `llm2llm init` made; go to one's"
            " root, or make one"
        )
    found = changes(_texts())
    if not json_:
        for change in found:
            print(change.diff, end="")
        if any(change.path.endswith((".py", "dvc.yaml")) for change in found):
            print(
                "\nchanges of your own to dvc.yaml and stages/ go too; git has what was committed"
            )
    written = bool(found) and (yes or (not json_ and _agreed(len(found))))
    if written:
        for change in found:
            _write(change)
    if json_:
        told = [{"path": change.path, "diff": change.diff} for change in found]
        print(json.dumps({"changes": told, "written": written}, indent=2, ensure_ascii=False))
    elif not found:
        print("this project is up to date with the installed llm2llm")
    elif written:
        print(f"\n{len(found)} files are up to date now; next: llm2llm validate, then dvc repro")
    else:
        print("\nnothing was written; `llm2llm upgrade --yes` does it")
    if found and not written:
        raise typer.Exit(MachineError.exit_code)


def _texts() -> dict[str, str]:
    paths = [
        PARAMS,
        DECISIONS,
        Path(IGNORED),
        Path(TASK),
        Path("dvc.yaml"),
        *Path("stages").glob("*.*"),
        *CODE.glob("*.sha256"),
    ]
    return {str(path): _text(path) for path in paths if path.is_file() and path.name != "dvc.lock"}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as failure:
        raise ParamsError(
            f"{path}: not UTF-8 ({failure.reason} at byte {failure.start}); save it as UTF-8"
        ) from None


def _agreed(n: int) -> bool:
    return sys.stdin.isatty() and typer.confirm(f"\nWrite these {n} files?")


def _write(change: Change) -> None:
    if change.new is None:
        Path(change.path).unlink()
    else:
        write_text(Path(change.path), change.new)
