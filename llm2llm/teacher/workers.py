"""Run work on threads that never keep a process from ending."""

import queue
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from llm2llm.exceptions import Llm2llmError

Item = TypeVar("Item")
Result = TypeVar("Result")

_TICK_S = 1.0


def run_all(
    items: Iterable[Item],
    work: Callable[[Item], Result],
    on_outcome: Callable[[Item, Result | Llm2llmError], None],
    on_tick: Callable[[int], None],
    *,
    n_threads: int,
    stop: threading.Event,
    grace_s: float,
) -> None:
    """Work on all items, at most `n_threads` at once; outcomes are handed over as they come.

    Items are fetched when a thread is free. `on_outcome`, and `on_tick` with the number of items
    under way, run in the calling thread. Once `stop` is set no further item is begun. An
    interruption sets it, and what is under way gets `grace_s` to end; the threads are daemons, so
    that a second interruption ends the process at once. What is no Llm2llmError is raised here.
    """
    source = iter(items)
    fetching = threading.Lock()
    n_begun = 0
    done: queue.SimpleQueue[tuple[Item, Result | Llm2llmError] | BaseException | None]
    done = queue.SimpleQueue()

    def fetch() -> Item | None:
        nonlocal n_begun
        with fetching:
            item = next(source, None)
            n_begun += item is not None
            return item

    def worker() -> None:
        try:
            while not stop.is_set():
                item = fetch()
                if item is None:
                    return
                try:
                    outcome: Result | Llm2llmError = work(item)
                except Llm2llmError as failure:
                    outcome = failure
                done.put((item, outcome))
        except BaseException as fault:  # noqa: BLE001 - handed over, not swallowed
            # A fault of the program is the calling thread's to raise, with its traceback.
            done.put(fault)
        finally:
            done.put(None)

    threads = [threading.Thread(target=worker, daemon=True) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    try:
        n_alive, n_done = len(threads), 0
        while n_alive:
            try:
                got = done.get(timeout=_TICK_S)
            except queue.Empty:
                on_tick(n_begun - n_done)
                continue
            if got is None:
                n_alive -= 1
                continue
            if isinstance(got, BaseException):
                raise got
            n_done += 1
            on_tick(n_begun - n_done)
            on_outcome(*got)
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join(grace_s)
            if thread.is_alive():
                break
        raise
