"""Locks of units of work, across real processes."""

import subprocess
import sys
from pathlib import Path

from llm2llm.work import is_complete, mark_complete, unit_of_work

HOLDER = """
import sys, time
from pathlib import Path
from llm2llm.work import unit_of_work
with unit_of_work(Path(sys.argv[1]), "k", print):
    print("held", flush=True)
    time.sleep(60)
"""


def hold(store: Path) -> subprocess.Popen[str]:
    """Start a process that holds the lock, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_killed_holder_frees_the_lock(tmp_path: Path) -> None:
    """After SIGKILL of the holder the next process gets the lock."""
    holder = hold(tmp_path)
    holder.kill()
    holder.wait()
    with unit_of_work(tmp_path, "k", lambda _: None) as folder:
        assert folder.is_dir()


def test_a_second_process_waits_and_names_the_holder(tmp_path: Path) -> None:
    """A live holder is waited for; the message names its process."""
    holder = hold(tmp_path)
    told: list[str] = []

    def on_wait(text: str) -> None:
        told.append(text)
        holder.kill()

    with unit_of_work(tmp_path, "k", on_wait):
        assert holder.wait() != 0
    assert str(holder.pid) in told[0]


def test_other_work_is_not_waited_for(tmp_path: Path) -> None:
    """Two different units of work are held at once."""
    holder = hold(tmp_path)
    with unit_of_work(tmp_path, "other", lambda text: (_ for _ in ()).throw(AssertionError(text))):
        assert holder.poll() is None
    holder.kill()
    holder.wait()


def test_complete_means_marked(tmp_path: Path) -> None:
    """A folder is complete only after the mark, however full it is."""
    (tmp_path / "result").write_text("all of it")
    assert not is_complete(tmp_path)
    mark_complete(tmp_path)
    assert is_complete(tmp_path)
