"""Units of work: an exclusive lock and a durable folder for each piece of costly work."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from llm2llm.files import sync, write_text

_MARK = "complete"


@contextmanager
def unit_of_work(store: Path, key: str, on_wait: Callable[[str], None]) -> Iterator[Path]:
    """Hold the lock of the work named by `key` and yield its folder under `store`/work.

    `key` is a hash of all that determines the result. Another process at the same work, an
    orphan of a killed run too, is waited for; `on_wait` is told who holds the lock. The kernel
    frees the lock when its holder ends, however it ends.
    """
    folder = store / "work" / key
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            on_wait(stream.read().strip() or "another process")
            fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        stream.truncate()
        stream.write(json.dumps({"pid": os.getpid()}))
        stream.flush()
        yield folder


def is_complete(folder: Path) -> bool:
    """Say whether the result in this folder was finished."""
    return (folder / _MARK).exists()


def mark_complete(folder: Path) -> None:
    """Sync everything in the folder, then write the completion mark, last."""
    for entry in sorted(folder.rglob("*")):
        sync(entry)
    write_text(folder / _MARK, "")
