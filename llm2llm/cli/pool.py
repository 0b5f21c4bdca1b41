"""`llm2llm pool`: say how many iterations the pool holds, or extend it."""

import json
from pathlib import Path
from typing import Annotated

import typer

from llm2llm.exceptions import ParamsError
from llm2llm.files import write_text
from llm2llm.params.loading import read_yaml

POOL = Path("stages/pool.yaml")
_HEADER = "# The iterations that can be asked for: `llm2llm pool N` extends this file.\npool:\n"


def pool(
    iterations: Annotated[int | None, typer.Argument(help="how many the pool shall hold")] = None,
    json_: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Say how many iterations the pool holds, or extend it to more; it never shrinks.

    Example: llm2llm pool 32
    """
    held = len(read_yaml(POOL).get("pool") or {}) - 1
    if iterations is not None:
        if iterations < held:
            raise ParamsError(f"{POOL}: holds {held} iterations already, {iterations} asked for")
        write_text(POOL, _HEADER + "".join(_entry(i) for i in range(iterations + 1)))
        held = iterations
    if json_:
        print(json.dumps({"pool": held}))
    else:
        print(f"{POOL} holds {held} iterations")


def _entry(i: int) -> str:
    """Write the entry of one iteration; a `continuous` training starts from what `start` names."""
    start = f"data/iterations/{i - 1}/student" if i else "data/base/base.json"
    return f'  "{i}": {{next: {i + 1}, start: {start}}}\n'
