"""Limits on requests and tokens per minute."""

import threading
from collections import deque
from collections.abc import Callable

_WINDOW_S = 60.0


class RateLimit:
    """Keep both sums over any 60 seconds within limits; null is no limit.

    A request of more tokens than the limit goes when nothing else was sent for a minute.
    `clock` gives seconds, `sleep` may end early.
    """

    def __init__(
        self,
        *,
        requests_per_minute: int | None,
        tokens_per_minute: int | None,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
    ) -> None:
        self._most_requests = requests_per_minute
        self._most_tokens = tokens_per_minute
        self._clock = clock
        self._sleep = sleep
        self._sent: deque[tuple[float, int]] = deque()
        self._n_tokens = 0
        self._lock = threading.Lock()

    def enter(self, n_tokens: int, stop: threading.Event) -> None:
        """Wait until one request of about so many tokens may go; at once when `stop` is set."""
        if self._most_requests is None and self._most_tokens is None:
            return
        while not stop.is_set():
            with self._lock:
                wait_s = self._wait_s(n_tokens)
                if wait_s <= 0:
                    self._sent.append((self._clock(), n_tokens))
                    self._n_tokens += n_tokens
                    return
            self._sleep(wait_s)

    def _wait_s(self, n_tokens: int) -> float:
        now = self._clock()
        while self._sent and self._sent[0][0] <= now - _WINDOW_S:
            self._n_tokens -= self._sent.popleft()[1]
        too_many = self._most_requests is not None and len(self._sent) >= self._most_requests
        too_long = (
            self._most_tokens is not None
            and bool(self._sent)
            and self._n_tokens + n_tokens > self._most_tokens
        )
        if not (too_many or too_long):
            return 0.0
        return max(self._sent[0][0] + _WINDOW_S - now, 0.001)
