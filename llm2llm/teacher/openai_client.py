"""The official client of an OpenAI-compatible endpoint, and the key that nobody shall see."""

import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from llm2llm.params.openai_chat import OpenAIChatParams, missing_key
from llm2llm.teacher.protocol import TeacherStoppedError

if TYPE_CHECKING:
    from openai import OpenAI

# The client insists on a key; endpoints on one's own machine do not look at it.
_NO_KEY = "none"
_SHORTEST_KEY = 8
# As many as requests can be in flight at most; the official client's own limit.
_MOST_CONNECTIONS = 1000
# A batch's files: 200 MB go up; what comes back is a page of text for each of 50,000 requests.
_FILE_TIMEOUT_S = 3600.0
_MOST_FILE_BYTES = 8 * 2**30


def proxy_for(url: str) -> str | None:
    """Find the proxy that the environment names for an address, as curl and httpx do."""
    parts = urlsplit(url)
    if proxy_bypass(parts.netloc):
        return None
    found = getproxies()
    return found.get(parts.scheme) or found.get("all")


class OpenAIConnection:
    """Make the client when it is first needed, so that a full ledger needs no key.

    `section` is where in params.yaml the endpoint is named.
    """

    def __init__(
        self, params: OpenAIChatParams, section: str, *, api_key: str | None, timeout_s: float
    ) -> None:
        self._params = params
        self._section = section
        self._api_key = (api_key or "").strip()
        self._timeout_s = timeout_s
        self._client: OpenAI | None = None
        self._file_client: OpenAI | None = None
        self._making = threading.Lock()

    def client(self) -> "OpenAI":
        """Give the client; raises TeacherStoppedError where the key cannot be one."""
        self._check_key()
        with self._making:
            if self._client is None:
                # A redirected POST would arrive as a GET, and be answered with nonsense.
                self._client = self._make(
                    self._timeout_s, _MOST_CONNECTIONS, None, follow_redirects=False
                )
            return self._client

    def file_client(self) -> "OpenAI":
        """Give a client for whole files: an hour for each, and as long as a disk may hold."""
        self._check_key()
        with self._making:
            if self._file_client is None:
                # Files may lie elsewhere; the key does not go along to another host.
                self._file_client = self._make(
                    max(self._timeout_s, _FILE_TIMEOUT_S),
                    1,
                    _MOST_FILE_BYTES,
                    follow_redirects=True,
                )
            return self._file_client

    @property
    def no_key(self) -> str | None:
        """Say why no key is sent; null where one is."""
        if self._params.api_key_env is not None:
            return None
        return (
            f"the endpoint wants a key and none was sent, as `{self._section}.api_key_env` is null:"
            " name the environment variable that holds it"
        )

    def _make(
        self,
        exchange_s: float,
        n_connections: int,
        most_bytes: int | None,
        *,
        follow_redirects: bool,
    ) -> "OpenAI":
        from openai import DefaultHttpxClient, OpenAI

        from llm2llm.teacher.deadline import MOST_BYTES, DeadlineTransport

        return OpenAI(
            base_url=self._params.base_url,
            api_key=self._api_key or _NO_KEY,
            timeout=self._timeout_s,
            max_retries=0,
            # What is not compressed cannot unfold into more than was bounded on its way.
            default_headers={"Accept-Encoding": "identity"},
            http_client=DefaultHttpxClient(
                transport=DeadlineTransport(
                    exchange_s,
                    n_connections,
                    time.monotonic,
                    most_bytes or MOST_BYTES,
                    proxy_for(self._params.base_url),
                ),
                follow_redirects=follow_redirects,
            ),
        )

    def _check_key(self) -> None:
        variable = self._params.api_key_env
        if variable is not None and not self._api_key:
            raise TeacherStoppedError(f"no API key: {missing_key(variable, self._section)}")
        if not (self._api_key.isascii() and self._api_key.isprintable()):
            raise TeacherStoppedError(
                f"the environment variable {variable} holds what cannot be a key"
            )

    def hide(self, text: str) -> str:
        """Blot the key out of a text from outside: some endpoints repeat it."""
        return text.replace(self._api_key, "***") if self._is_secret() else text

    def hide_bytes(self, text: bytes) -> bytes:
        """Blot the key out of UTF-8 bytes."""
        return text.replace(self._api_key.encode(), b"***") if self._is_secret() else text

    def _is_secret(self) -> bool:
        # A stand-in such as `x` or `none` is no secret, and stands in every text.
        return len(self._api_key) >= _SHORTEST_KEY
