"""Claims: who is asking which request at this moment, among threads and processes."""

import errno
import fcntl
import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llm2llm.exceptions import MachineError

_OPENING = 0
FIRST_CLAIM = _OPENING + 1


class Claims:
    """Locks of single bytes of one file; the kernel frees those of a process that ends.

    POSIX record locks belong to the process and go when it closes any descriptor of the file,
    so there is one descriptor per file and process (`claims_of`), never closed, and threads are
    kept apart by a set.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self._held: set[int] = set()
        self._threads = threading.Lock()
        self._opening = threading.Lock()

    def take(self, request_id: str) -> bool:
        """Claim a request; False when another thread or process has it."""
        offset = _offset(request_id)
        with self._threads:
            if offset in self._held:
                return False
            try:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
            except OSError as failure:
                if failure.errno in (errno.EACCES, errno.EAGAIN):
                    return False
                raise MachineError(
                    f"{self._path}: cannot be locked ({failure}); move the project to a file"
                    " system with POSIX locks"
                ) from None
            self._held.add(offset)
            return True

    def release(self, request_id: str) -> None:
        """Give a claim back."""
        offset = _offset(request_id)
        with self._threads:
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, offset)
            self._held.discard(offset)

    @property
    def n_held(self) -> int:
        """How many claims this process holds."""
        with self._threads:
            return len(self._held)

    @property
    def descriptor(self) -> int:
        """The open file, for a look at the locks of others; closing it would free every claim."""
        return self._descriptor

    @contextmanager
    def opening(self) -> Iterator[None]:
        """Wait for, and hold, the right to make the ledger's tables."""
        with self._opening:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, _OPENING)
            try:
                yield
            finally:
                fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, _OPENING)


@functools.cache
def claims_of(path: Path) -> Claims:
    """Get this process's only `Claims` of a file; `path` is absolute."""
    return Claims(path)


def _offset(request_id: str) -> int:
    # 60 bits: two requests that share an offset wait for one another, nothing worse.
    return FIRST_CLAIM + int(request_id.removeprefix("rq-")[:15], 16)
