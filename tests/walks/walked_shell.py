"""One shell, in which a page's commands run one after the other, as typed by a reader."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Ended:
    """What a command printed, how it ended, and when each of its lines came."""

    exit_code: int
    lines: list[str] = field(default_factory=list)
    came_s: list[float] = field(default_factory=list)

    @property
    def output(self) -> str:
        """All that was printed, errors included."""
        return "\n".join(self.lines)


class Shell:
    """A bash that keeps folder and environment from command to command."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start it in a folder, with nothing of the caller's environment but what is named."""
        self.process = subprocess.Popen(
            ["bash", "--noprofile", "--norc"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str) -> Ended:
        """Run a command to its end, with no terminal to ask at."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        mark = uuid.uuid4().hex
        # In braces `cd` and `.` change this very shell, while standard input is not its own.
        self.process.stdin.write(
            f"{{ {command}\n}} </dev/null\nended=$?; echo; echo {mark} $ended\n"
        )
        self.process.stdin.flush()
        ended = Ended(exit_code=-1)
        for line in self.process.stdout:
            if line.startswith(mark):
                ended.exit_code = int(line.split()[1])
                return ended
            ended.lines.append(line.rstrip("\n"))
            ended.came_s.append(time.monotonic())
        raise AssertionError(f"the shell ended in {command!r}\n{ended.output}")

    def end(self) -> None:
        """Kill it and whatever it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
