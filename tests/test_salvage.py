"""Salvage reads all that damage left of a ledger, and alters and invents nothing."""

import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_rows import content, failed, fill, row, under_way

from llm2llm.exceptions import MachineError
from llm2llm.ledger.database import Ledger, insert_imported
from llm2llm.ledger.salvaging import salvage

PAGE = 4096
# Short rows share pages, long ones overflow into pages of their own.
ROWS = [row(n, 60 + 400 * (n % 9)) for n in range(240)] + [failed(900, "content policy")]
BY_ID = {each.request_id: each for each in ROWS}
HOLD = """
import sys
from pathlib import Path
from llm2llm.ledger.database import Ledger
ledger = Ledger(Path(sys.argv[1]))
if sys.argv[2] == "claim":
    ledger.claim("rq-" + "ab" * 32)
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a ledger that was closed."""
    store = tmp_path_factory.mktemp("whole")
    fill(store, ROWS, n_charges=3)
    ledger = Ledger(store)
    with ledger.writing() as connection:
        insert_imported(connection, [ROWS[0].request_id], "2026-11-23T00:00:00.000+00:00")
        connection.execute("CREATE TABLE further (name TEXT PRIMARY KEY, n INTEGER)")
        connection.execute("INSERT INTO further VALUES ('one', 1), ('two', 2)")
    ledger.close()
    return store


@pytest.fixture(scope="module")
def hot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a ledger as a killed process leaves it: the newest commits stand in its log alone."""
    store, copy = tmp_path_factory.mktemp("running"), tmp_path_factory.mktemp("hot")
    fill(store, ROWS[:40])
    ledger = Ledger(store)
    for one in ROWS[40:120]:
        ledger.put(one)
    for name in ("ledger.sqlite", "ledger.sqlite-wal"):
        shutil.copy(store / name, copy)
    ledger.close()
    return copy


def damaged(source: Path, target: Path, change: Callable[[bytearray], None], name: str) -> Path:
    """Copy a store and change the bytes of one file of it."""
    shutil.copytree(source, target)
    data = bytearray((target / name).read_bytes())
    change(data)
    (target / name).write_bytes(data)
    return target


def overwrite(at: int, n: int, filler: bytes = b"\xa5") -> Callable[[bytearray], None]:
    """Make damage: `n` bytes from `at` on lie under something else."""

    def change(data: bytearray) -> None:
        data[at : at + n] = (filler * n)[: min(n, max(0, len(data) - at))]

    return change


def cut(share: float) -> Callable[[bytearray], None]:
    """Make damage: only the first part of the file is there."""

    def change(data: bytearray) -> None:
        del data[int(len(data) * share) :]

    return change


def nothing(_data: bytearray) -> None:
    """Make no damage."""


def saved_by(store: Path) -> int:
    """Salvage, check that nothing was altered and all that there is works; count the rows."""
    before = {path.name: path.read_bytes() for path in store.glob("ledger.sqlite*")}
    done = salvage(store)
    found = content(store)
    assert {key: BY_ID[key] for key in found} == found
    assert done.n_saved == len(found)
    assert not done.whole
    assert done.kept_as is not None
    if "ledger.sqlite" in before:
        assert (store / done.kept_as).read_bytes() == before["ledger.sqlite"]
    assert salvage(store).whole
    return len(found)


def test_a_whole_ledger_is_left_alone(whole: Path, tmp_path: Path) -> None:
    """Nothing is written or renamed where nothing is wrong."""
    store = damaged(whole, tmp_path / "s", nothing, "ledger.sqlite")
    before = (store / "ledger.sqlite").read_bytes()
    done = salvage(store)
    assert (done.whole, done.n_saved, done.kept_as) == (True, len(ROWS), None)
    assert (store / "ledger.sqlite").read_bytes() == before
    assert not list(store.glob("*damaged*"))


@pytest.mark.parametrize(
    ("at", "n"),
    [(0, 50), (16, 2), (0, 100)],
    ids=["half the header", "the page size", "all the header"],
)
def test_a_broken_header_costs_no_row(whole: Path, tmp_path: Path, at: int, n: int) -> None:
    """All rows, charges and marks come back when the first bytes of the file are lost."""
    store = damaged(whole, tmp_path / "s", overwrite(at, n, b"\xff"), "ledger.sqlite")
    done = salvage(store)
    assert done.kept_as == "ledger.sqlite.damaged-1"
    assert (done.n_saved, done.n_lost, done.n_charges, done.n_imported) == (len(ROWS), 0, 3, 1)
    assert content(store) == BY_ID
    assert done.others == {"further": 2}


def test_a_broken_root_costs_what_stood_on_it(whole: Path, tmp_path: Path) -> None:
    """Without the page from which SQLite finds all others, the others' rows are found."""
    with sqlite3.connect(whole / "ledger.sqlite") as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'requests'"
        ).fetchone()
    connection.close()
    at = (root - 1) * PAGE
    store = damaged(whole, tmp_path / "s", overwrite(at, PAGE), "ledger.sqlite")
    with pytest.raises(MachineError, match="ledger salvage"):
        content(store)
    done = salvage(store)
    assert len(ROWS) - 30 < done.n_saved < len(ROWS)
    assert done.n_pages_lost == 1
    assert done.others == {"further": 2}


def test_lost_rows_are_named_where_their_ids_are_left(whole: Path, tmp_path: Path) -> None:
    """Rows whose beginning is there and whose overflow pages are zeros are lost by id."""
    zeros = overwrite(PAGE * 60, PAGE * 8, b"\0")
    store = damaged(whole, tmp_path / "s", zeros, "ledger.sqlite")
    done = salvage(store)
    gone = BY_ID.keys() - content(store).keys()
    assert gone
    assert set(done.lost) <= gone
    assert done.n_lost == len(done.lost)
    assert done.lost or done.n_pages_lost


@pytest.mark.parametrize("share", [0.9, 0.5, 0.203])
def test_a_truncated_file_gives_what_it_holds(whole: Path, tmp_path: Path, share: float) -> None:
    """A file that ends too soon, in the middle of a page too, gives the rows before its end."""
    store = damaged(whole, tmp_path / "s", cut(share), "ledger.sqlite")
    assert saved_by(store) > 0.2 * share * len(ROWS)


def test_the_log_counts(hot: Path, tmp_path: Path) -> None:
    """Rows that only the log holds are saved when the main file is damaged."""
    store = damaged(hot, tmp_path / "s", overwrite(0, PAGE * 1000), "ledger.sqlite")
    assert 60 < saved_by(store) < 120
    assert (store / "ledger.sqlite.damaged-1-wal").is_file()


def test_rows_after_a_torn_frame_of_the_log_are_saved(hot: Path, tmp_path: Path) -> None:
    """SQLite silently passes over all that follows a bad frame; salvage does not."""
    frame = 32 + (PAGE + 24) * 30
    store = damaged(hot, tmp_path / "s", overwrite(frame + 500, 40), "ledger.sqlite-wal")
    shutil.copytree(store, tmp_path / "plain")
    by_sqlite = len(content(tmp_path / "plain"))
    saved = saved_by(store)
    assert by_sqlite < saved
    assert saved >= 118


def test_a_lost_log_leaves_a_whole_ledger(hot: Path, tmp_path: Path) -> None:
    """Without its log the ledger is what it was at the last checkpoint, and works."""
    store = damaged(hot, tmp_path / "s", nothing, "ledger.sqlite")
    (store / "ledger.sqlite-wal").unlink()
    assert salvage(store).whole
    assert 40 <= len(content(store)) < 120


def test_a_lost_main_file_leaves_the_log(hot: Path, tmp_path: Path) -> None:
    """What the log holds is saved although the file that it belongs to is gone."""
    store = damaged(hot, tmp_path / "s", nothing, "ledger.sqlite")
    (store / "ledger.sqlite").unlink()
    assert saved_by(store) > 0


def test_a_row_that_is_not_its_hash_is_not_taken(whole: Path, tmp_path: Path) -> None:
    """A request changed within a file that SQLite finds whole is counted and left out."""
    store = damaged(whole, tmp_path / "s", nothing, "ledger.sqlite")
    victim = ROWS[5].request_id
    with sqlite3.connect(store / "ledger.sqlite") as connection:
        connection.execute(
            "UPDATE requests SET request = request || ' ' WHERE request_id = ?", [victim]
        )
    connection.close()
    done = salvage(store)
    assert (done.n_mismatched, done.n_saved) == (1, len(ROWS) - 1)
    assert victim not in content(store)


def test_removed_rows_do_not_come_back(tmp_path: Path) -> None:
    """What was taken out of the ledger is not found in the pages that it left behind."""
    fill(tmp_path, ROWS[60:])
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        # Some builds of SQLite overwrite what they remove, most do not.
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM requests")
    connection.close()
    fill(tmp_path, ROWS[:10])
    with sqlite3.connect(tmp_path / "ledger.sqlite") as connection:
        (n_unused,) = connection.execute("PRAGMA freelist_count").fetchone()
        connection.execute("UPDATE requests SET request = '' WHERE draw = 3")
    connection.close()
    assert n_unused > 50
    done = salvage(tmp_path)
    assert (done.n_saved, done.n_mismatched) == (9, 1)
    assert content(tmp_path).keys() < {one.request_id for one in ROWS[:10]}


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    places=st.lists(
        st.tuples(st.integers(0, 10**9), st.integers(1, 3 * PAGE), st.binary(min_size=1)),
        min_size=1,
        max_size=4,
    ),
    kept=st.floats(0.05, 1),
)
def test_no_damage_alters_a_row_or_breaks_salvage(
    whole: Path,
    tmp_path_factory: pytest.TempPathFactory,
    places: list[tuple[int, int, bytes]],
    kept: float,
) -> None:
    """Whatever bytes are overwritten or cut off, each saved request is as it was asked.

    A byte within an answer can change unseen, as SQLite has no checksum of it; a request cannot.
    """

    def change(data: bytearray) -> None:
        for at, n, filler in places:
            overwrite(at % len(data), n, filler)(data)
        cut(kept)(data)

    store = damaged(whole, tmp_path_factory.mktemp("d") / "s", change, "ledger.sqlite")
    try:
        salvage(store)
    except MachineError as failure:
        assert "no row can be read" in str(failure) or "format" in str(failure)
        return
    for key, found in content(store).items():
        assert found.request == BY_ID[key].request


@pytest.mark.parametrize("how", ["open", "claim"])
def test_a_ledger_in_use_is_refused(whole: Path, tmp_path: Path, how: str) -> None:
    """While another process has the ledger open nothing happens, and that process is named."""
    store = damaged(whole, tmp_path / "s", nothing, "ledger.sqlite")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(store), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(MachineError, match=f"process {process.pid} has the ledger open"):
            salvage(store)
        process.communicate()
    assert salvage(store).whole


def test_a_second_damage_gets_a_second_name(whole: Path, tmp_path: Path) -> None:
    """No damaged file that was kept is ever overwritten."""
    store = damaged(whole, tmp_path / "s", overwrite(0, 50), "ledger.sqlite")
    first = (store / "ledger.sqlite").read_bytes()
    assert salvage(store).kept_as == "ledger.sqlite.damaged-1"
    with (store / "ledger.sqlite").open("r+b") as stream:
        stream.write(b"\xff" * 50)
    assert salvage(store).kept_as == "ledger.sqlite.damaged-2"
    assert (store / "ledger.sqlite.damaged-1").read_bytes() == first


@pytest.mark.parametrize(
    "data",
    [b"", b"no database at all" * 1000, random.Random(1).randbytes(3 * PAGE)],
    ids=["empty", "text", "noise"],
)
def test_a_file_without_rows_is_left_as_it_is(tmp_path: Path, data: bytes) -> None:
    """What is no ledger is not renamed; the message says what to do."""
    (tmp_path / "ledger.sqlite").write_bytes(data)
    if data:
        with pytest.raises(MachineError, match="no row can be read in it"):
            salvage(tmp_path)
    else:
        assert salvage(tmp_path).whole
    assert (tmp_path / "ledger.sqlite").read_bytes() == data
    assert not list(tmp_path.glob("*damaged*"))
    assert not (tmp_path / "salvaging").exists()


def test_a_newer_format_is_not_salvaged(whole: Path, tmp_path: Path) -> None:
    """An older program does not rebuild what it cannot understand."""
    newer = overwrite(60, 4, b"\0\0\0\x63")
    store = damaged(whole, tmp_path / "s", newer, "ledger.sqlite")
    with pytest.raises(MachineError, match="format 99, expected at most 2"):
        salvage(store)


@pytest.fixture(scope="module")
def batched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a closed ledger with two open batches and one that is done."""
    store = tmp_path_factory.mktemp("batched")
    fill(store, ROWS[:40])
    under_way(store, "http://a/v1", ["rq-" + "1" * 64, "rq-" + "2" * 64], batch_id="batch_1")
    under_way(store, "http://b/v1", ["rq-" + "3" * 64])
    under_way(store, "http://b/v1", [], batch_id="batch_3", is_done=True)
    return store


def test_batches_that_are_saved_are_no_loss(batched: Path, tmp_path: Path) -> None:
    """With the first page readable all tables come along, and nothing is said to be lost."""
    store = damaged(batched, tmp_path / "s", overwrite(0, 50), "ledger.sqlite")
    done = salvage(store)
    assert done.others == {"batches": 3, "batch_requests": 3}
    assert (done.others_read, done.batches_lost, done.n_owed_lost) == (True, [], 0)


def test_without_the_first_page_the_lost_batches_are_named(batched: Path, tmp_path: Path) -> None:
    """No table can be copied then; the open batches found and what they owe are told."""
    store = damaged(batched, tmp_path / "s", overwrite(0, PAGE, b"\0"), "ledger.sqlite")
    done = salvage(store)
    assert done.n_saved == 40
    assert (done.others, done.others_read) == ({}, False)
    assert len(done.batches_lost) == 2 and "batch_1" in done.batches_lost
    assert done.n_owed_lost == 3


def test_no_ledger_is_told(tmp_path: Path) -> None:
    """Without a ledger there is nothing to salvage."""
    with pytest.raises(MachineError, match="no such file"):
        salvage(tmp_path)
