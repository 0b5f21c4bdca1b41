"""Requests and tokens per minute."""

import threading
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llm2llm.teacher.rate import RateLimit


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Give the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds > 0
        self.now += seconds


def send(sizes: list[int], requests: int | None, tokens: int | None) -> list[float]:
    """Give the times at which requests of these sizes may go."""
    clock = Clock()
    limit = RateLimit(
        requests_per_minute=requests, tokens_per_minute=tokens, clock=clock, sleep=clock.sleep
    )
    times = []
    for n_tokens in sizes:
        limit.enter(n_tokens, threading.Event())
        times.append(clock.now - 1000.0)
    return times


def test_without_limits_nothing_waits() -> None:
    """Null is no limit."""
    assert send([10**9] * 50, None, None) == [0.0] * 50


def test_requests_go_as_the_window_frees() -> None:
    """Three a minute: the fourth goes when the first is a minute old."""
    assert send([1] * 7, 3, None) == [0, 0, 0, 60, 60, 60, 120]


def test_tokens_count_over_the_same_window() -> None:
    """A request waits for as many tokens as it needs, and no longer."""
    assert send([40, 40, 20, 50, 10], None, 100) == [0, 0, 0, 60, 60]


def test_one_request_beyond_the_limit_goes_alone() -> None:
    """What can never fit is not held for ever; it goes when the minute before it was quiet."""
    assert send([10, 500, 10], None, 100) == [0, 60, 120]


@given(
    sizes=st.lists(st.integers(0, 60), max_size=40),
    requests=st.none() | st.integers(1, 5),
    tokens=st.none() | st.integers(60, 200),
)
def test_no_minute_holds_more_than_the_limits(
    sizes: list[int], requests: int | None, tokens: int | None
) -> None:
    """Whatever the sizes, every window of 60 seconds keeps both sums, and order is kept."""
    times = send(sizes, requests, tokens)
    assert all(a <= b for a, b in pairwise(times))
    for start in times:
        window = [n for t, n in zip(times, sizes, strict=True) if start <= t < start + 60]
        assert requests is None or len(window) <= requests
        assert tokens is None or sum(window) <= tokens


def test_a_stop_ends_the_waiting() -> None:
    """Once all shall end, nobody waits for a minute to pass."""
    stop = threading.Event()
    limit = RateLimit(
        requests_per_minute=1,
        tokens_per_minute=None,
        clock=lambda: 0.0,
        sleep=lambda _s: stop.set(),
    )
    limit.enter(1, stop)
    limit.enter(1, stop)
    assert stop.is_set()


@pytest.mark.parametrize("n_threads", [2, 8])
def test_threads_share_one_limit(n_threads: int) -> None:
    """Exactly as many requests go as the limit allows, whoever sends them."""
    stop = threading.Event()
    gone: list[int] = []
    limit = RateLimit(
        requests_per_minute=15,
        tokens_per_minute=None,
        clock=lambda: 0.0,
        sleep=lambda _s: stop.wait(0.01),
    )

    def work() -> None:
        for _ in range(10):
            limit.enter(1, stop)
            if stop.is_set():
                return
            gone.append(1)

    threads = [threading.Thread(target=work) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    patience = time.monotonic() + 60
    while len(gone) < 15 and time.monotonic() < patience:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert len(gone) == 15
