"""Progress: the same facts on a terminal and without one, and no more lines than are read."""

import io
import re
import sys

import pytest

from llm2llm import progress
from llm2llm.student.pace import Pace, Progress


class Terminal(io.StringIO):
    """Standard error of a person who watches."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def train_for(seconds: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """Report one update at each time, under a clock that shows just these."""
    clock = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    with progress.progress("train-iter 0") as advance:
        pace = Pace(advance, lambda: clock[0])
        pace(Progress(0, 40, 0, 0))
        for n, now in enumerate(seconds, start=1):
            clock[0] = now
            pace(Progress(n, 40, n, 500 * n, 2.5))


def test_without_a_terminal_lines_come_every_ten_seconds(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each has updates, loss, tokens per second and time left; the last update has one too."""
    train_for([4.0, 9.0, 11.0, 12.0, 16.0], monkeypatch)
    assert capsys.readouterr().err.splitlines() == [
        "train-iter 0: 3 of 40, loss 2.5, 136 tokens/s, 2:16 left",
        "train-iter 0: 5 of 40, loss 2.5, 156 tokens/s, 1:52 left",
    ]


def test_short_work_is_not_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What took less than ten seconds has the stage's summary alone."""
    train_for([4.0, 9.0], monkeypatch)
    assert capsys.readouterr().err == ""


def test_no_line_is_said_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the last update had a line of its own, the end adds none."""
    train_for([4.0, 11.0], monkeypatch)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_terminal_shows_the_same_facts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar's own guess of the time left makes room for the note's."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "110")
    train_for([4.0, 16.0], monkeypatch)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert re.search(r"2/40 +loss 2\.5, 62 tokens/s, 5:04 left", shown)
