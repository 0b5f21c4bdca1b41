"""A teacher behind a real HTTP server, for whole runs."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / "teacher_server.py"


class Server:
    """A running server with a log of what it was asked."""

    def __init__(self, folder: Path, kind: str, delay_s: float = 0.3) -> None:
        """Start it on a port that the system chooses."""
        self.log = folder / "requests.log"
        # Each answer takes a moment, so that a kill in the middle meets requests in flight.
        options = ("--port", "0", "--kind", kind, "--log", str(self.log))
        options += ("--delay-s", str(delay_s))
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), *options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()

    def asked(self) -> list[str]:
        """Name each request that was answered, in the order of the answers; equal, equal name."""
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        return [line["request"] for line in lines if line["event"] == "answered"]

    def received(self) -> list[str]:
        """Name each request that came, in order, by its messages."""
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        return [line["sent"] for line in lines if line["event"] == "received"]

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()
