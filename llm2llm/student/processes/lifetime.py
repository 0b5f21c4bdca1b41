"""Processes that end with the one that started them, so that no orphan trains on."""

import ctypes
import fcntl
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def live_with(parent: int, presence: Path) -> TextIO:
    """Have the kernel kill this process when its parent ends; exit if that has ended already.

    While the stream that is given stays open, `wait_for_all` waits. The lock comes before the look
    at the parent: so whoever starts others is there, and seen, until they are seen themselves.
    """
    stream = presence.open("a", encoding="utf-8")
    fcntl.flock(stream, fcntl.LOCK_SH)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(f"process {parent}, which this one was to work for, has ended")
    return stream


def wait_for_all(presence: Path, on_wait: Callable[[str], None]) -> None:
    """Wait until every process has ended that lived with an earlier holder of the work's lock.

    They are being killed: that takes moments, in which one could still write a state. `on_wait` is
    told where it takes any.
    """
    with presence.open("a", encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait("a group of processes that is being ended")
            fcntl.flock(stream, fcntl.LOCK_EX)
