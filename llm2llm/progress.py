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
    shown = _bar if sys.stderr.isatty() else _lines
    with shown(title, total) as advance:
        yield advance


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class _TimeLeft(TimeRemainingColumn):
        """Leave it to the note, which knows what this process itself has done."""

        def render(self, task: Task) -> Text:
            return Text() if task.fields["note"] else super().render(task)

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _TimeLeft(),
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


@contextmanager
def _lines(title: str, total: int | None) -> Iterator[Advance]:
    known, unsaid = total, ""
    start = last = time.monotonic()

    def advance(done: int, total: int | None = None, note: str = "") -> None:
        nonlocal known, unsaid, last
        known = known if total is None else total
        counted = f"{title}: {done} of {known or '?'}"
        unsaid = f"{counted}, {note}" if note else counted
        now = time.monotonic()
        if now - last >= _LINE_EVERY_S:
            last = now
            _say(unsaid)
            unsaid = ""

    yield advance
    if unsaid and time.monotonic() - start >= _LINE_EVERY_S:
        _say(unsaid)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
