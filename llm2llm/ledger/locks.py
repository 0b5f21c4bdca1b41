"""Locks of bytes of a file: who holds which, seen without taking any."""

import fcntl
import os
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_END = 2**63 - 1
# struct flock as 64-bit systems lay it out; macOS puts the offsets first.
_LAYOUT = "qqihh" if sys.platform == "darwin" else "hhqqi4x"


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock of the bytes `first` to `last` that process `pid` holds (0: of another container)."""

    pid: int
    first: int
    last: int


def locks(descriptor: int, first: int = 0) -> Iterator[Lock]:
    """Yield the POSIX locks of other processes from byte `first` on, in no order."""
    waiting = [(first, _END)]
    while waiting:
        begin, end = waiting.pop()
        if begin > end:
            continue
        found = _any(descriptor, begin, end)
        if found is None:
            continue
        yield found
        # The kernel names any one lock in a range, so both sides of it are still to be asked.
        waiting += [(begin, found.first - 1), (found.last + 1, end)]


def holders(path: Path) -> list[int]:
    """List the other processes that lock any byte of a file; of none that is not there.

    Looking ends the locks that this process has on the file: not for one that has it open.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    try:
        return sorted({lock.pid for lock in locks(descriptor)})
    finally:
        os.close(descriptor)


def _any(descriptor: int, begin: int, end: int) -> Lock | None:
    length = 0 if end == _END else end - begin + 1
    asked = _pack(fcntl.F_WRLCK, begin, length)
    kind, start, length, pid = _unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    if kind == fcntl.F_UNLCK:
        return None
    return Lock(pid, start, start + length - 1 if length else _END)


def _pack(kind: int, start: int, length: int) -> bytes:
    if _LAYOUT == "qqihh":
        return struct.pack(_LAYOUT, start, length, 0, kind, os.SEEK_SET)
    return struct.pack(_LAYOUT, kind, os.SEEK_SET, start, length, 0)


def _unpack(answer: bytes) -> tuple[int, int, int, int]:
    values = struct.unpack(_LAYOUT, answer)
    if _LAYOUT == "qqihh":
        start, length, pid, kind, _ = values
    else:
        kind, _, start, length, pid = values
    return kind, start, length, pid
