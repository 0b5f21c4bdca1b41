"""How pages are walked: a page that says what is not so fails, whatever it is."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from built_wheel import ROOT
from walked_page import not_printed, steps
from walking import Walk

pytestmark = pytest.mark.timeout(120)
STUDENT = "train-iter 0: 3 examples, 2 updates, checkpoint {}"


@pytest.fixture
def notes() -> list[str]:
    """Take what a walk notes."""
    return []


@pytest.fixture
def go(
    tmp_path: Path, environment: dict[str, str], notes: list[str]
) -> Iterator[Callable[[str], Walk]]:
    """Write a page and walk it in a new folder."""
    walks: list[Walk] = []

    def go(text: str) -> Walk:
        page = tmp_path / "page.md"
        page.write_text(text, encoding="utf-8")
        walks.append(Walk.begin(tmp_path, environment, notes.append))
        walks[-1].go(steps(page))
        return walks[-1]

    yield go
    for walk in walks:
        walk.end()


def console(commands: str, shown: str = "") -> str:
    """Write a page's blocks."""
    block = f"\n```text\n{shown}\n```\n" if shown else ""
    return f"# A page\n\n## 1. Part\n\n```console\n{commands}\n```\n{block}"


def test_commands_run_one_after_the_other(go: Callable[[str], Walk], tmp_path: Path) -> None:
    """Folder and variables stay, a command has the lines up to the next, and no input."""
    lines = (
        "$ mkdir a\n$ cd a\n$ export X=3\n$ cat <<'END' > f\n$X\nEND\n$ cat f && cat\n$ ls; echo $X"
    )
    go(console(lines, "f\n3"))
    assert (tmp_path / "a/f").read_text() == "$X\n"


def test_another_exit_code_fails(go: Callable[[str], Walk]) -> None:
    """A command must end as the page says, with 0 where it says nothing."""
    go(console("$ (exit 3)  # exits with 3"))
    with pytest.raises(AssertionError, match=r"page.md:7: `\(exit 3\)` exited 3, expected 0"):
        go(console("$ true\n$ (exit 3)"))
    with pytest.raises(AssertionError, match="exited 0, expected 3"):
        go(console("$ true  # exits with 3"))


def test_a_line_that_is_not_printed_fails(go: Callable[[str], Walk]) -> None:
    """Each shown line is looked for, with its numbers; what is in brackets is anything."""
    go(console("$ printf 'b 2\\na 1 of 4\\n'", "a [n] of 4\nb   2\n[and more]"))
    with pytest.raises(AssertionError, match="did not print\na 1 of 5\nbut\nb 2"):
        go(console("$ printf 'b 2\\na 1 of 4\\n'", "a 1 of 5"))
    assert not_printed(("a 1 of 5", "a few"), "a 1 of 4", exact=False) == ["a few"]


def test_output_of_another_student_is_compared_without_its_numbers(
    go: Callable[[str], Walk], notes: list[str]
) -> None:
    """With another first checkpoint numbers are free, ids are not asked for, and it is told."""
    line = STUDENT.format("0a1b")
    page = console(f"$ echo '{line}'; echo kept 7", STUDENT.format("ff0f") + "\nkept 9")
    later = console("$ exit-is-looked-at # exits with 127\n$ explain ex-0a\n$ echo 5", "6")
    assert not go(page + later).same_student
    assert ["the first student is 0a1b" in notes[0], "not run" in notes[1]] == [True, True]
    with pytest.raises(AssertionError, match="did not print\nlost 9"):
        go(page.replace("\nkept 9", "\nlost 9"))


def test_a_server_gets_a_free_port(go: Callable[[str], Walk], tmp_path: Path) -> None:
    """A page's port is replaced, in commands and in what they print."""
    server = ROOT / "tests/teacher_server.py"
    address = "http://127.0.0.1:8000/v1"
    shown = f"asked {address}"
    go(console(f"$ {sys.executable} {server} --port 8000 &\n$ echo asked {address}", shown))
    assert "127.0.0.1:8000/" not in (tmp_path / "server-8000.log").read_text()
    with pytest.raises(AssertionError):
        go(console(f"$ {sys.executable} {tmp_path}/none.py --port 8000 &"))


def test_the_first_training_is_timed(go: Callable[[str], Walk], notes: list[str]) -> None:
    """What lies between `init` and the first training is noted, and no time fails."""
    go(console("$ llm2llm init p || true\n$ echo '> python stages/train_iter.py 0'"))
    assert re.fullmatch(r"page.md:7: \d+ s from init to the first training", notes[0])
