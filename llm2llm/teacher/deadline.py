"""An HTTP transport whose exchanges end: each within a time, and within a number of bytes.

httpx limits single reads, so a server that sends a byte now and then could hold a request for ever.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

import httpcore2 as httpcore
import httpx2 as httpx

# No chat completion is longer; what is would only fill the memory.
MOST_BYTES = 64 * 2**20


class _Exchange(threading.local):
    """What is left to the exchange that this thread is in."""

    ends_s = float("inf")
    n_bytes = 0
    most_bytes = MOST_BYTES


class _Stream(httpcore.NetworkStream):
    """A connection that knows when its thread's exchange must end."""

    def __init__(
        self, inner: httpcore.NetworkStream, exchange: _Exchange, clock: Callable[[], float]
    ) -> None:
        self._inner = inner
        self._exchange = exchange
        self._clock = clock

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left_s = self._exchange.ends_s - self._clock()
        if left_s <= 0:
            raise httpcore.ReadTimeout("the answer did not end in time")
        found = self._inner.read(max_bytes, left_s if timeout is None else min(timeout, left_s))
        self._exchange.n_bytes += len(found)
        most = self._exchange.most_bytes
        if self._exchange.n_bytes > most:
            raise httpcore.ReadError(f"the answer is longer than {most} bytes")
        return found

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, timeout)

    def close(self) -> None:
        self._inner.close()

    def start_tls(self, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(*args, **kwargs), self._exchange, self._clock)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Makes such connections."""

    def __init__(self, exchange: _Exchange, clock: Callable[[], float]) -> None:
        self._inner = httpcore.SyncBackend()
        self._exchange = exchange
        self._clock = clock

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        inner = self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        return _Stream(inner, self._exchange, self._clock)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class DeadlineTransport(httpx.HTTPTransport):
    """httpx's own transport, with `timeout_s` for a whole exchange; `clock` gives seconds.

    `proxy` is the address of an HTTP proxy.
    """

    def __init__(
        self,
        timeout_s: float,
        n_connections: int,
        clock: Callable[[], float],
        most_bytes: int = MOST_BYTES,
        proxy: str | None = None,
    ) -> None:
        super().__init__()
        self._most_bytes = most_bytes
        self._timeout_s = timeout_s
        self._clock = clock
        self._exchange = _Exchange()
        # httpx has no parameter for the network backend; httpcore's pool has.
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            proxy=httpcore.Proxy(proxy) if proxy else None,
            max_connections=n_connections,
            max_keepalive_connections=n_connections,
            network_backend=_Backend(self._exchange, clock),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Begin an exchange; its body is read in the same thread."""
        self._exchange.ends_s = self._clock() + self._timeout_s
        self._exchange.n_bytes = 0
        self._exchange.most_bytes = self._most_bytes
        return super().handle_request(request)
