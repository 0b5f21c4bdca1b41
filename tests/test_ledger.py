"""The ledger keeps every answer once, through threads, processes and their deaths."""

import json
import multiprocessing
import os
import shutil
import signal
import sqlite3
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.exceptions import MachineError
from llm2llm.ids import canonical_json, sha256_json
from llm2llm.ledger.database import Entry, Ledger, Spent
from llm2llm.ledger.identity import describe_request, request_id
from llm2llm.ledger.salvaging import salvage

ID = "rq-" + "ab" * 32


def entry(**changes: Any) -> Entry:
    """Make an answered entry."""
    made = Entry(
        request_id=ID,
        seed_id="ex-1",
        draw=0,
        backend="openai",
        request="{}",
        status="answered",
        text="an answer",
        finish_reason="stop",
        failure=None,
        raw='{"a": 1}',
        teacher="model-1",
        n_prompt_tokens=10,
        n_completion_tokens=5,
        n_attempts=2,
        latency_s=0.25,
        cost=0.5,
        created="2026-11-22T10:00:00.000+00:00",
    )
    return replace(made, **changes)


REQUEST_TEXT = '{"draw":0}'


def never() -> Entry:
    """Stand for a request that must not be sent."""
    raise AssertionError("asked although the answer is known")


# ------------------------------------------------------------------------------------- identity

REQUEST: dict[str, Any] = {
    "messages": [{"role": "user", "content": "hello"}],
    "seed_input": "in",
    "seed_target": "out",
    "random_seed": 0,
    "draw": 0,
    "teacher": {"backend": "openai", "model": "m"},
}


@pytest.mark.parametrize(
    ("field", "other"),
    [
        ("messages", [{"role": "user", "content": "hello!"}]),
        ("messages", [{"role": "system", "content": "hello"}]),
        ("seed_input", "in!"),
        ("seed_target", "out!"),
        ("random_seed", 1),
        ("draw", 1),
        ("about", "rq-1"),
        ("teacher", {"backend": "openai", "model": "n"}),
        ("teacher", {"backend": "openai", "model": "m", "temperature": 1.0}),
    ],
)
def test_changing_a_field_changes_the_id(field: str, other: Any) -> None:
    """Whatever determines an answer is part of the request's identity."""
    one = request_id(describe_request(**REQUEST))
    assert one == request_id(describe_request(**REQUEST))
    assert one != request_id(describe_request(**{**REQUEST, field: other}))


def test_the_described_request_is_what_is_hashed() -> None:
    """The id can be recomputed from the request column alone."""
    description = describe_request(**REQUEST)
    assert set(description) == {*REQUEST, "format"}
    assert request_id(description) == "rq-" + sha256_json(description)
    assert canonical_json(description).count("hello") == 1


# ------------------------------------------------------------------------------------- database


@given(st.text(), st.none() | st.text(), st.none() | st.floats(0, 1e9), st.integers(0, 2**62))
def test_entries_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    teacher: str | None,
    cost: float | None,
    draw: int,
) -> None:
    """Any text, NUL characters too, and any number survives being written and read again."""
    ledger = Ledger(tmp_path_factory.mktemp("store"))
    written = entry(text=text, raw=text, teacher=teacher, cost=cost, draw=draw)
    ledger.put(written)
    assert ledger.get(ID) == written
    ledger.close()


def test_an_entry_is_there_for_another_process_when_put_returns(tmp_path: Path) -> None:
    """A second connection sees the row at once, in a file that is written for good."""
    ledger = Ledger(tmp_path)
    ledger.put(entry())
    with sqlite3.connect(tmp_path / "ledger.sqlite") as other:
        assert other.execute("SELECT text FROM requests").fetchall() == [("an answer",)]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert ledger._writer.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_the_first_answer_stays(tmp_path: Path) -> None:
    """A second row for the same request changes nothing."""
    ledger = Ledger(tmp_path)
    ledger.put(entry(text="first"))
    ledger.put(entry(text="second"))
    found = ledger.get(ID)
    assert found is not None
    assert found.text == "first"


def test_many_ids_are_found_in_one_go(tmp_path: Path) -> None:
    """Lookups larger than one query's limit miss nothing and invent nothing."""
    ledger = Ledger(tmp_path)
    ids = [f"rq-{n:064x}" for n in range(1203)]
    for one in ids[::3]:
        ledger.put(entry(request_id=one))
    assert sorted(ledger.find(ids)) == ids[::3]


def test_threads_share_commits_and_lose_nothing(tmp_path: Path) -> None:
    """Entries put by many threads at once are all there."""
    ledger = Ledger(tmp_path)
    ids = [f"rq-{n:064x}" for n in range(200)]

    def put(some: list[str]) -> None:
        for one in some:
            ledger.put(entry(request_id=one))
            assert ledger.get(one) is not None

    threads = [threading.Thread(target=put, args=(ids[n::8],)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledger.find(ids)) == 200


def test_an_entry_that_breaks_the_schema_is_refused(tmp_path: Path) -> None:
    """A failed request without a reason, or an answer without a text, cannot be stored."""
    ledger = Ledger(tmp_path)
    with pytest.raises(MachineError, match=r"ledger\.sqlite"):
        ledger.put(entry(status="failed"))
    assert ledger.get(ID) is None


def test_a_file_that_is_no_ledger_is_named(tmp_path: Path) -> None:
    """A damaged ledger is reported, never overwritten."""
    (tmp_path / "ledger.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(MachineError, match="do not delete it"):
        Ledger(tmp_path)
    assert (tmp_path / "ledger.sqlite").read_bytes().startswith(b"no database")


def test_a_log_without_its_ledger_is_not_thrown_away(tmp_path: Path) -> None:
    """Where only the write-ahead log is left, opening stops; salvage gets what the log has."""
    ledger = Ledger(tmp_path / "a")
    ledger.put(entry(request=REQUEST_TEXT, request_id=request_id(json.loads(REQUEST_TEXT))))
    left = tmp_path / "b"
    left.mkdir()
    shutil.copy(tmp_path / "a/ledger.sqlite-wal", left)
    with pytest.raises(MachineError, match=r"may hold paid answers.*ledger salvage"):
        Ledger(left)
    assert (left / "ledger.sqlite-wal").stat().st_size > 0
    assert salvage(left).n_saved == 1
    assert Ledger(left).spent([]).n_requests == 1


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """An older program does not touch a ledger that it cannot understand."""
    with sqlite3.connect(tmp_path / "ledger.sqlite") as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(MachineError, match="format 99"):
        Ledger(tmp_path)


def test_spent_counts_paid_requests_only(tmp_path: Path) -> None:
    """Free backends cost nothing, refusals count, answers without usage are told apart."""
    ledger = Ledger(tmp_path)
    ledger.put(entry(request_id="rq-" + "1" * 64))
    ledger.put(entry(request_id="rq-" + "2" * 64, n_prompt_tokens=None))
    ledger.put(entry(request_id="rq-" + "3" * 64, status="failed", text=None, failure="no"))
    ledger.put(entry(request_id="rq-" + "4" * 64, backend="symbolic"))
    assert ledger.spent(["symbolic"]) == Spent(3, 20, 15, 1, cost=1.5)
    assert ledger.spent([]) == Spent(4, 30, 20, 1, cost=2.0)


# --------------------------------------------------------------------------------------- claims


def test_a_known_answer_is_not_asked_for(tmp_path: Path) -> None:
    """`once` gives what the ledger holds."""
    ledger = Ledger(tmp_path)
    ledger.put(entry())
    assert ledger.once(ID, never, time.sleep) == entry()


def test_a_failure_to_ask_frees_the_claim(tmp_path: Path) -> None:
    """After an outage the same process can ask the same request again."""
    ledger = Ledger(tmp_path)

    def fail() -> Entry:
        raise MachineError("down")

    with pytest.raises(MachineError, match="down"):
        ledger.once(ID, fail, time.sleep)
    assert ledger.once(ID, entry, time.sleep) == entry()


def test_an_answer_that_came_before_the_claim_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another one's answer between the first look and the claim is not asked for again."""
    ledger = Ledger(tmp_path)
    take = ledger._claims.take

    def late(request_id: str) -> bool:
        Ledger(tmp_path).put(entry())
        return take(request_id)

    monkeypatch.setattr(ledger._claims, "take", late)
    assert ledger.once(ID, never, time.sleep) == entry()


def test_two_threads_ask_once(tmp_path: Path) -> None:
    """The second thread of a process, through a ledger object of its own, waits for the first."""
    first, second = Ledger(tmp_path), Ledger(tmp_path)
    asking, answer = threading.Event(), threading.Event()

    def slow() -> Entry:
        asking.set()
        assert answer.wait(30)
        return entry()

    thread = threading.Thread(target=first.once, args=(ID, slow, time.sleep))
    thread.start()
    assert asking.wait(30)
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        answer.set()
        time.sleep(seconds)

    assert second.once(ID, never, pause) == entry()
    assert pauses
    thread.join()


def _ask_in_child(store: Path, pipe: Any) -> None:
    def slow() -> Entry:
        pipe.send("asking")
        pipe.recv()
        return entry(text="the child's answer")

    Ledger(store).once(ID, slow, time.sleep)
    pipe.send("done")


def _child(store: Path) -> tuple[Any, Any]:
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_ask_in_child, args=(store, there), daemon=True)
    process.start()
    assert here.poll(60)
    assert here.recv() == "asking"
    return process, here


def test_a_request_in_flight_in_another_process_is_waited_for(tmp_path: Path) -> None:
    """The answer that another process is getting is read from the ledger, not sent again."""
    process, pipe = _child(tmp_path)
    n_pauses = 0

    def pause(seconds: float) -> None:
        nonlocal n_pauses
        n_pauses += 1
        if n_pauses == 3:
            pipe.send("go on")
        time.sleep(seconds)

    found = Ledger(tmp_path).once(ID, never, pause)
    assert found.text == "the child's answer"
    assert n_pauses >= 3
    process.join(60)


def test_a_killed_process_holds_no_claim(tmp_path: Path) -> None:
    """When the one that asks is killed, the one that waits asks instead."""
    process, _pipe = _child(tmp_path)
    n_pauses = 0

    def pause(seconds: float) -> None:
        nonlocal n_pauses
        n_pauses += 1
        if n_pauses == 3:
            os.kill(process.pid, signal.SIGKILL)
            process.join(60)
        time.sleep(seconds)

    assert Ledger(tmp_path).once(ID, entry, pause) == entry()
    assert n_pauses >= 3


def test_closing_one_ledger_keeps_the_other_ones_claims(tmp_path: Path) -> None:
    """Two ledger objects of a process share one descriptor, so closing one frees no claim."""
    store = tmp_path
    holder, other = Ledger(store), Ledger(store)
    assert holder._claims is other._claims
    assert holder._claims.take(ID)
    other.close()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_try_to_take, args=(store, there), daemon=True)
    process.start()
    assert here.poll(60)
    assert here.recv() is False
    process.join(60)
    holder._claims.release(ID)


def _try_to_take(store: Path, pipe: Any) -> None:
    pipe.send(Ledger(store)._claims.take(ID))
