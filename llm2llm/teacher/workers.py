"""Run work on threads that never keep a process from ending."""

import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from llm2llm.exceptions import Llm2llmError

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_all(
    items: Sequence[Item],
    work: Callable[[Item], Result],
    on_outcome: Callable[[Item, Result | Llm2llmError], None],
    *,
    n_threads: int,
    stop: threading.Event,
    grace_s: float,
) -> None:
    """Work on all items, at most `n_threads` at once; outcomes are handed over as they come.

    `on_outcome` runs in the calling thread. Once `stop` is set no further item is begun. An
    interruption sets it, and what is under way gets `grace_s` to end; the threads are daemons, so
    that a second interruption ends the process at once.
    """
    todo: queue.SimpleQueue[Item] = queue.SimpleQueue()
    for item in items:
        todo.put(item)
    done: queue.SimpleQueue[tuple[Item, Result | Llm2llmError] | None] = queue.SimpleQueue()

    def worker() -> None:
        try:
            while not stop.is_set():
                try:
                    item = todo.get_nowait()
                except queue.Empty:
                    return
                try:
                    outcome: Result | Llm2llmError = work(item)
                except Llm2llmError as failure:
                    outcome = failure
                done.put((item, outcome))
        finally:
            done.put(None)

    threads = [
        threading.Thread(target=worker, daemon=True) for _ in range(min(n_threads, len(items)))
    ]
    for thread in threads:
        thread.start()
    try:
        n_alive = len(threads)
        while n_alive:
            got = done.get()
            if got is None:
                n_alive -= 1
            else:
                on_outcome(*got)
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join(grace_s)
            if thread.is_alive():
                break
        raise
