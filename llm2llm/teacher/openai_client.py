"""The official client of an OpenAI-compatible endpoint, and the key that nobody shall see."""

import threading
import time
from typing import TYPE_CHECKING

from llm2llm.params.openai_chat import OpenAIChatParams
from llm2llm.teacher.protocol import TeacherStoppedError

if TYPE_CHECKING:
    from openai import OpenAI

# The client insists on a key; endpoints on one's own machine do not look at it.
_NO_KEY = "none"
# As many as requests can be in flight at most; the official client's own limit.
_MOST_CONNECTIONS = 1000


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
        self._making = threading.Lock()

    def client(self) -> "OpenAI":
        """Give the client; raises TeacherStoppedError where the key cannot be one."""
        from openai import DefaultHttpxClient, OpenAI

        from llm2llm.teacher.deadline import DeadlineTransport

        variable = self._params.api_key_env
        if variable is not None and not self._api_key:
            raise TeacherStoppedError(
                f"no API key: the environment variable {variable} that"
                f" `{self._section}.api_key_env` names is not set; `export` it, or set"
                " api_key_env to null for an endpoint without keys"
            )
        if not (self._api_key.isascii() and self._api_key.isprintable()):
            raise TeacherStoppedError(
                f"the environment variable {variable} holds what cannot be a key"
            )
        with self._making:
            if self._client is None:
                self._client = OpenAI(
                    base_url=self._params.base_url,
                    api_key=self._api_key or _NO_KEY,
                    timeout=self._timeout_s,
                    max_retries=0,
                    http_client=DefaultHttpxClient(
                        transport=DeadlineTransport(
                            self._timeout_s, _MOST_CONNECTIONS, time.monotonic
                        ),
                        # A redirected POST would arrive as a GET, and be answered with nonsense.
                        follow_redirects=False,
                    ),
                )
            return self._client

    def hide(self, text: str) -> str:
        """Blot the key out of a text from outside: some endpoints repeat it."""
        return text.replace(self._api_key, "***") if self._api_key else text

    def hide_bytes(self, text: bytes) -> bytes:
        """Blot the key out of UTF-8 bytes."""
        return text.replace(self._api_key.encode(), b"***") if self._api_key else text
