"""Whatever kills a run of openai-batch, the next one pays for nothing twice."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from batch_server import Call, End, Job, answer_line, failure_line, serving_batches
from batch_world import World

from llm2llm.exceptions import CountError
from llm2llm.ledger.batches import Batch, Batches, BatchRequest
from llm2llm.ledger.database import Ledger
from llm2llm.teacher.openai_batch import collecting
from llm2llm.teacher.openai_batch.provider import Provider
from llm2llm.teacher.openai_batch.states import (
    Created,
    Finished,
    Forgotten,
    NotThere,
    Refused,
    Uploaded,
    advance,
)

N_REQUESTS = 6


class Crash(BaseException):
    """The process ends here."""


class Fuse:
    """Crash at the n-th moment of a run; None: never. Counts the moments."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.n = 0
        self.moments: list[str] = []

    def moment(self, what: str) -> None:
        """Be asked at every step."""
        self.moments.append(what)
        self.n += 1
        if self.n - 1 == self.at:
            raise Crash(what)


def wire(fuse: Fuse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every commit and every call to the provider two moments: before and after it."""
    writing, trying = Ledger.writing, Provider._try

    @contextmanager
    def crashing_commit(self: Ledger) -> Iterator[Any]:
        fuse.moment("before a commit")
        with writing(self) as connection:
            yield connection
        fuse.moment("after a commit")

    def crashing_call(self: Provider, what: str, once: Any, **rest: Any) -> Any:
        fuse.moment(f"before: {what}")
        result = trying(self, what, once, **rest)
        fuse.moment(f"after: {what}")
        return result

    monkeypatch.setattr(Ledger, "writing", crashing_commit)
    monkeypatch.setattr(Provider, "_try", crashing_call)


def half_good() -> Callable[[Job], End]:
    """Let a request of the first batch fail once, and give every line in small groups."""
    n = 0

    def finish(job: Job) -> End:
        nonlocal n
        n += 1
        if n > 1:
            return End(output=[answer_line(name) for name in job.names])
        good = [answer_line(name) for name in job.names[1:]]
        body = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}
        return End(output=[*good, answer_line(job.names[0], body=body)])

    return finish


def crash_then_go_on(at: int | None, store: Path, monkeypatch: pytest.MonkeyPatch) -> Fuse:
    """Run with a crash at a moment, then again without; check all that must hold."""
    fuse = Fuse(at)
    with serving_batches() as server:
        server.finish = half_good()
        world = World(store, server.url, params={"max_requests_per_batch": 4})
        with monkeypatch.context() as patched:
            wire(fuse, patched)
            if at is None:
                run = world.run(N_REQUESTS)
            else:
                with pytest.raises(Crash):
                    world.run(N_REQUESTS)
        if at is not None:
            run = world.run(N_REQUESTS)
        assert run.failure is None
        assert sorted(run.entries) == list(range(N_REQUESTS))
        assert {entry.status for entry in run.entries.values()} == {"answered"}
        # One request went twice, because its first line was useless; no other ever did.
        assert sorted(server.submitted.values()) == [1] * (N_REQUESTS - 1) + [2]
        spent = world.spent()
        assert spent.n_requests == N_REQUESTS + 1
        assert spent.n_prompt_tokens == 100 * N_REQUESTS + 7
        assert not Batches(Ledger(store)).owed()
        assert not list((store / "batches").iterdir())
    return fuse


def test_a_crash_at_any_moment_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before and after every commit and call: the next run completes, and nothing goes twice."""
    monkeypatch.setattr(collecting, "_GROUP", 2)
    whole = crash_then_go_on(None, tmp_path / "whole", monkeypatch)
    assert whole.n > 50
    for what in ("upload the request file", "create a batch", "look at batch", "fetch file"):
        assert any(what in moment for moment in whole.moments)
    for at in range(whole.n):
        crash_then_go_on(at, tmp_path / str(at), monkeypatch)


# ------------------------------------------------------------------------------------ real deaths


def _run_in_child(store: str, url: str, kill_after_groups: int | None) -> None:
    """Ask six requests; with a number, die after so many groups of lines are kept."""
    collecting._GROUP = 2
    if kill_after_groups is not None:
        keep, n_kept = Batches.keep, 0

        def deadly_keep(self: Batches, *values: Any) -> None:
            nonlocal n_kept
            keep(self, *values)
            n_kept += 1
            if n_kept == kill_after_groups:
                os.kill(os.getpid(), signal.SIGKILL)

        Batches.keep = deadly_keep  # type: ignore[method-assign]
    # While another process is in a call there is nothing to do but to wait for it, really.
    World(Path(store), url, on_pause=lambda _n: time.sleep(0.05)).run(N_REQUESTS)


def start(store: Path, url: str, kill_after_groups: int | None = None) -> Any:
    """Run it in a process of its own."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(
        target=_run_in_child, args=(str(store), url, kill_after_groups), daemon=True
    )
    process.start()
    return process


@pytest.mark.parametrize(
    ("kind", "takes_effect"),
    [
        ("upload", False),
        ("upload", True),
        ("create", False),
        ("create", True),
        ("look", True),
        ("fetch", True),
    ],
)
def test_a_process_killed_during_a_call_pays_nothing_twice(
    tmp_path: Path, kind: str, takes_effect: bool
) -> None:
    """SIGKILL while the provider has the call, before or after it took effect."""
    pid = 0
    started = threading.Event()
    n_killed = 0

    def kill(call: Call) -> None:
        nonlocal n_killed
        if call.kind == kind and call.number == 1:
            assert started.wait(30)
            os.kill(pid, signal.SIGKILL)
            n_killed += 1

    with serving_batches() as server:
        if takes_effect:
            server.after = kill
        else:
            server.before = kill
        process = start(tmp_path, server.url)
        pid = process.pid
        started.set()
        process.join(60)
        assert (process.exitcode, n_killed) == (-signal.SIGKILL, 1)
        run = World(tmp_path, server.url).run(N_REQUESTS)
        assert run.failure is None and sorted(run.entries) == list(range(N_REQUESTS))
        assert set(server.submitted.values()) == {1}
        if kind == "create" and takes_effect:
            assert any("batch_0 found" in line for line in run.said)


def test_a_process_killed_between_two_commits_keeps_the_first(tmp_path: Path) -> None:
    """SIGKILL after one group of lines: it stays, and the file is read again for the rest."""
    with serving_batches() as server:
        process = start(tmp_path, server.url, kill_after_groups=1)
        process.join(60)
        assert process.exitcode == -signal.SIGKILL
        assert World(tmp_path, server.url).spent().n_requests == 2
        run = World(tmp_path, server.url).run(N_REQUESTS)
        assert run.failure is None and sorted(run.entries) == list(range(N_REQUESTS))
        assert set(server.submitted.values()) == {1}
        assert server.calls["fetch"] == 2


# ------------------------------------------------------------------------------- several at once


def test_two_runs_of_the_same_requests_share_their_batches(tmp_path: Path) -> None:
    """Parallel experiments: what one has submitted the other collects, never submits."""
    with serving_batches() as server:
        first = World(tmp_path, server.url, params={"max_requests_per_batch": 3})
        others: list[Any] = []
        first.on_pause = lambda n: (
            others.append(first.changed(on_pause=lambda _n: None).run(N_REQUESTS + 2))
            if n == 1
            else None
        )
        run = first.run(N_REQUESTS)
        assert run.failure is None and sorted(run.entries) == list(range(N_REQUESTS))
        assert others[0].failure is None
        assert sorted(others[0].entries) == list(range(N_REQUESTS + 2))
        assert set(server.submitted.values()) == {1}
        assert World(tmp_path, server.url).spent().n_requests == N_REQUESTS + 2


def test_processes_that_start_together_submit_each_request_once(tmp_path: Path) -> None:
    """Three processes race for the same six requests."""
    with serving_batches() as server:
        server.n_looks = 3
        processes = [start(tmp_path, server.url) for _ in range(3)]
        for process in processes:
            process.join(120)
        assert [process.exitcode for process in processes] == [0, 0, 0]
        assert sum(server.submitted.values()) == N_REQUESTS
        assert World(tmp_path, server.url).spent().n_requests == N_REQUESTS


def test_a_batch_that_another_holds_is_left_alone(tmp_path: Path) -> None:
    """While someone is submitting, its requests are neither looked for nor taken."""
    with serving_batches() as server:
        ledger = Ledger(tmp_path)
        batches = Batches(ledger)
        world = World(tmp_path, server.url, wait=False)
        world.run(2)
        (batch,) = batches.under_way(server.url)
        assert batches.claim(batch)
        try:
            looks = server.calls["look"]
            run = world.run(2)
            assert "2 requests are under way" in str(run.failure)
            assert (server.calls["look"], server.calls["create"]) == (looks, 1)
        finally:
            batches.release(batch)
        assert sorted(world.run(2).entries) == [0, 1]


def test_a_line_noted_by_a_dead_run_is_charged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A billed, useless line that is read a second time adds nothing to the sums."""
    with serving_batches() as server:
        server.finish = half_good()
        world = World(tmp_path, server.url)
        with monkeypatch.context() as patched:

            def no_end(*_: Any, **__: Any) -> int:
                raise Crash("before the batch is closed")

            patched.setattr(Batches, "close", no_end)
            with pytest.raises(Crash):
                world.run(3)
        assert world.spent().n_prompt_tokens == 207
        assert world.run(3).failure is None
        assert world.spent().n_prompt_tokens == 307


# ------------------------------------------------------------------------------- the states alone

BATCH = Batch("k" * 64, "planned", "http://x/v1", "m", 10, "2026-11-22")
UPLOADED = Uploaded("file-1", "s" * 64, 2, 100, 50)
EVENTS: list[Any] = [
    UPLOADED,
    Created("batch_1", "validating"),
    NotThere(),
    Finished("expired"),
    Refused("failed"),
    Forgotten(),
]
MOVES = {
    ("planned", Uploaded): "uploaded",
    ("planned", NotThere): "dropped",
    ("uploaded", Created): "submitted",
    ("uploaded", NotThere): "dropped",
    ("submitted", Finished): "collected",
    ("submitted", Refused): "dropped",
    ("submitted", Forgotten): "lost",
}
STATES = ["planned", "uploaded", "submitted", "collected", "dropped", "lost"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", STATES)
def test_only_the_moves_of_the_table_exist(state: str, event: Any) -> None:
    """Every state and event: a move of the table, or an error that names both."""
    batch = Batch(BATCH.key, state, "http://x/v1", "m", 10, "2026-11-22")
    expected = MOVES.get((state, type(event)))
    if expected is None:
        with pytest.raises(CountError, match=state):
            advance(batch, event)
    else:
        assert advance(batch, event).state == expected


def test_a_request_is_taken_by_one_batch_and_only_without_an_answer(tmp_path: Path) -> None:
    """What another batch owes, or the ledger holds, is left out; the others get lines in order."""
    with serving_batches() as server:
        run = World(tmp_path, server.url).run(1)
        known = run.entries[0].request_id
    batches = Batches(Ledger(tmp_path))
    names = [known, "rq-" + "1" * 64, "rq-" + "2" * 64]
    rows = [BatchRequest(name, "ex", 0, "{}", 2) for name in names]
    one, other = (batches.plan("http://x/v1", "m", None, "2026-11-22") for _ in range(2))
    try:
        assert batches.take(one, rows[:2], n_before=0) == {names[1]}
        assert batches.take(other, rows, n_before=7) == {names[2]}
        assert batches.find(other, names)[names[2]].line == 8
        batches.save(advance(one, NotThere()), of="planned")
        assert batches.take(other, rows, n_before=8) == {names[1]}
    finally:
        batches.release(one)
        batches.release(other)


def test_a_move_that_someone_else_made_is_refused(tmp_path: Path) -> None:
    """A batch is saved only on top of the state that it was read in."""
    batches = Batches(Ledger(tmp_path))
    batch = batches.plan("http://x/v1", "m", None, "2026-11-22")
    try:
        uploaded = advance(batch, UPLOADED)
        batches.save(uploaded, of="planned")
        assert batches.get(batch.key) == uploaded
        with pytest.raises(CountError, match="another process moved it on"):
            batches.save(uploaded, of="planned")
    finally:
        batches.release(batch)


def test_a_failed_line_and_an_answer_of_one_request(tmp_path: Path) -> None:
    """The answer wins, whichever file holds it and whichever comes first."""
    with serving_batches() as server:

        def finish(job: Job) -> End:
            first, second = job.names
            return End(
                output=[failure_line(first, 500, "oops"), answer_line(first), answer_line(second)],
                errors=[failure_line(second, 500, "oops")],
            )

        server.finish = finish
        run = World(tmp_path, server.url).run(2)
        assert run.failure is None and server.calls["create"] == 1
        assert [entry.status for entry in run.entries.values()] == ["answered", "answered"]
