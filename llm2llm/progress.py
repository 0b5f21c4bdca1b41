"""Progress of a long stage: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[..., None]

_LINE_EVERY_S = 10.0


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Advance]:
    """Yield `advance(done, total=None, note="")`; both count from the start of the work.

    Without a terminal a line appears at most every ten seconds, and one at the end of work that
    took longer than that.
    """
    if sys.stderr.isatty():
        with _bar(title, total) as advance:
            yield advance
    else:
        yield _lines(title, total)


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=total, note="")

        def advance(done: int, total: int | None = None, note: str = "") -> None:
            if total is None:
                bar.update(task, completed=done, note=note)
            else:
                bar.update(task, completed=done, total=total, note=note)

        yield advance


def _lines(title: str, first_total: int | None) -> Advance:
    known = first_total
    last = time.monotonic()

    def advance(done: int, total: int | None = None, note: str = "") -> None:
        nonlocal known, last
        known = known if total is None else total
        now = time.monotonic()
        if now - last >= _LINE_EVERY_S:
            last = now
            counted = f"{title}: {done} of {known or '?'}"
            print(f"{counted}, {note}" if note else counted, file=sys.stderr, flush=True)

    return advance
