"""Walk a docs page: run its commands in order, and hold what they print against what it shows."""

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from walked_page import Step, not_printed, steps
from walked_shell import Ended, Shell

DOCS = Path(__file__).resolve().parents[2] / "docs"
# The section of start.md that makes the environment of all walks.
INSTALL = "1. Install"
# Names of variables that would let something of the caller's environment in.
_OWN = ("DVC_", "LLM2LLM", "PYTEST_", "PYTHON", "TEST_", "VIRTUAL_ENV", "MAKE", "MFLAGS")
_SERVER = re.compile(r"^(?P<command>.*--port )(?P<port>\d+)(?P<rest>.*?) &$")
# A page with fewer commands was not read as it should be.
_FEWEST = 5
_TRAINING = "> python stages/train_iter.py 0"
_CHECKPOINT = re.compile(r"train-iter 0: .*checkpoint (\w+)")


def newcomer_environment(home: Path, commands_of_tests: Path) -> dict[str, str]:
    """Give the caller's environment without what tests and virtual environments put into it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OWN)}
    folders = os.environ["PATH"].split(os.pathsep)
    kept["PATH"] = os.pathsep.join(f for f in folders if Path(f).resolve() != commands_of_tests)
    git = home / "gitconfig"
    git.write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n", encoding="utf-8")
    kept["GIT_CONFIG_GLOBAL"] = str(git)
    if index := os.environ.get("TORCH_INDEX"):
        kept["PIP_EXTRA_INDEX_URL"] = index
    return kept


def locked(lines: Iterable[str]) -> dict[str, str]:
    """Read `name==version` lines of a lock file or of pip; which build of a version is left out."""
    found = (line.split(";")[0].strip().split("==") for line in lines if "==" in line)
    return {name.lower().replace("_", "-"): version.split("+")[0] for name, version in found}


@dataclass
class Walk:
    """A shell, and what is known of the walk so far."""

    shell: Shell
    folder: Path
    note: Callable[[str], None]
    # Whether the first student has the page's checkpoint: on another kind of processor sums may be
    # rounded otherwise, and then all that follows from its answers differs.
    same_student: bool = True
    _addresses: dict[str, str] = field(default_factory=dict)
    _began_s: float = 0.0

    @classmethod
    def begin(
        cls, folder: Path, environment: Mapping[str, str], note: Callable[[str], None]
    ) -> "Walk":
        """Open a shell in a folder; `note` takes what a person may want to know."""
        return cls(Shell(folder, environment), folder, note)

    def page(self, name: str) -> None:
        """Run a page's commands in order, but for those that install: that was done once."""
        found = [step for step in steps(DOCS / name) if step.section != INSTALL]
        assert len(found) > _FEWEST
        self.go(found)

    def go(self, walked: Iterable[Step]) -> None:
        """Run steps; the first that does not do what its page says stops the walk."""
        for step in walked:
            if not self.same_student and re.search(r"\bex-[0-9a-f]", step.command):
                self.note(f"{step.where}: not run, names an example of another student")
                continue
            ended = self._run(step)
            output = ended.output
            for shown, real in self._addresses.items():
                output = output.replace(real, shown)
            told = f"{step.where}: `{step.command}`"
            assert ended.exit_code == step.exit_code, (
                f"{told} exited {ended.exit_code}, expected {step.exit_code}\n{output}"
            )
            was_same = self.same_student
            self._compare_students(step, output)
            if was_same:
                missing = not_printed(step.shown, output, exact=self.same_student)
                listed = "\n".join(missing)
                assert not missing, f"{told} did not print\n{listed}\nbut\n{output}"

    def _run(self, step: Step) -> Ended:
        server = _SERVER.match(step.command)
        if server is not None:
            return self._serve(server)
        command = step.command
        for shown, real in self._addresses.items():
            command = command.replace(shown, real)
        if command.startswith("llm2llm init "):
            self._began_s = time.monotonic()
        ended = self.shell.run(command)
        for line, came_s in zip(ended.lines, ended.came_s, strict=True):
            if line == _TRAINING:
                took_s = came_s - self._began_s
                self.note(f"{step.where}: {took_s:.0f} s from init to the first training")
        return ended

    def _serve(self, server: re.Match[str]) -> Ended:
        """Start a server on a free port, in place of the one that the page names."""
        log = self.folder / f"server-{server['port']}.log"
        log.unlink(missing_ok=True)
        started = f"{server['command']}0{server['rest']} > '{log}' &"
        # The server writes its address once it listens.
        ended = self.shell.run(
            f"{started} until [ -s '{log}' ] || ! kill -0 $!; do sleep 0.1; done"
        )
        address = log.read_text(encoding="utf-8").strip()
        assert address.startswith("http"), ended.output
        self._addresses[f"http://127.0.0.1:{server['port']}/v1"] = address
        return Ended(exit_code=ended.exit_code)

    def _compare_students(self, step: Step, output: str) -> None:
        own, shown = _CHECKPOINT.search(output), _CHECKPOINT.search("\n".join(step.shown))
        if own is not None and shown is not None and own[1] != shown[1]:
            self.same_student = False
            self.note(
                f"{step.where}: the first student is {own[1]}, the page's {shown[1]}:"
                " what follows from its answers is not compared"
            )

    def end(self) -> None:
        """End the shell and the servers that it started."""
        self.shell.end()
