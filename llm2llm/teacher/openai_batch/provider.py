"""The provider's side of a batch: files up and down, batches made, found and looked at."""

import random
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from llm2llm.teacher.openai_batch.views import KEY, View, read_id, read_json, read_view
from llm2llm.teacher.openai_client import OpenAIConnection
from llm2llm.teacher.openai_failures import judge
from llm2llm.teacher.protocol import Refusal, TeacherStoppedError
from llm2llm.teacher.retry import RetriableError, retrying

if TYPE_CHECKING:
    from openai import OpenAI

ENDPOINT: Final = "/v1/chat/completions"

_Result = TypeVar("_Result")
_PAGE = 100
# How a provider says that it has no list of batches.
_NO_LIST = {404, 405, 501}


class GoneError(Exception):
    """The provider does not know the batch or the file (404)."""


class Provider:
    """Calls to one endpoint, each tried again as the retry policy says.

    What fails to the end raises TeacherStoppedError. `now` gives seconds since 1970.
    """

    def __init__(
        self,
        connection: OpenAIConnection,
        base_url: str,
        *,
        max_attempts: int,
        now: Callable[[], float],
        sleep: Callable[[float], object],
        stop: threading.Event,
    ) -> None:
        self._connection = connection
        self._base_url = base_url
        self._max_attempts = max_attempts
        self._now = now
        # Jitter shall differ between processes and reaches no output.
        self._retrying = retrying(
            max_attempts=max_attempts, sleep=sleep, stop=stop, jitter=random.SystemRandom().random
        )

    def upload(self, stream: BinaryIO, name: str) -> str:
        """Send a request file; gives its id."""

        def once(client: "OpenAI") -> str:
            stream.seek(0)
            got = client.files.with_raw_response.create(file=(name, stream), purpose="batch")
            return read_id(self._connection.hide(got.text))

        return self._try("upload the request file", once, with_file=True)

    def create(self, key: str, file_id: str, completion_window: str) -> View:
        """Make a batch; a try that failed may have made it, so the next one looks first."""
        n_tries = 0

        def once(client: "OpenAI") -> View:
            nonlocal n_tries
            n_tries += 1
            if n_tries > 1:
                found = self._find(client, key, file_id)
                if found is not None:
                    return found
            got = client.batches.with_raw_response.create(
                completion_window=completion_window,  # type: ignore[arg-type]  # others have more
                endpoint=ENDPOINT,
                input_file_id=file_id,
                metadata={KEY: key},
            )
            return read_view(read_json(self._connection.hide(got.text)))

        return self._try("create a batch", once)

    def find(self, key: str, file_id: str | None) -> View | None:
        """Look for a batch by our key in its metadata, else by its request file."""
        return self._try("list the batches", lambda client: self._find(client, key, file_id))

    def retrieve(self, batch_id: str) -> View:
        """Look at a batch; raises GoneError where the provider does not know it."""

        def once(client: "OpenAI") -> View:
            got = client.batches.with_raw_response.retrieve(batch_id)
            return read_view(read_json(self._connection.hide(got.text)))

        return self._try(f"look at batch {batch_id}", once, may_be_gone=True)

    def download(self, file_id: str, into: BinaryIO) -> None:
        """Fetch a file, with the key blotted out; raises GoneError where there is none."""

        def once(client: "OpenAI") -> None:
            # The client's own library: it wraps no failure in the middle of a stream.
            from httpx2 import HTTPError

            into.seek(0)
            into.truncate()
            n_bytes, has_objects = 0, False
            try:
                with client.files.with_streaming_response.content(file_id) as reply:
                    for lines in _whole_lines(reply.iter_bytes()):
                        n_bytes += into.write(self._connection.hide_bytes(lines))
                        has_objects = has_objects or b"\n{" in b"\n" + lines
            except HTTPError as failure:
                raise RetriableError(f"the connection broke ({type(failure).__name__})") from None
            # A proxy's page in place of the answers must not look like their absence.
            if n_bytes and not has_objects:
                raise RetriableError("what came holds no line of JSON")

        self._try(f"fetch file {file_id}", once, may_be_gone=True, with_file=True)

    def _find(self, client: "OpenAI", key: str, file_id: str | None) -> View | None:
        from openai import APIStatusError

        seen: set[str] = set()
        after: str | None = None
        while True:
            try:
                # The client would send a null `after`.
                got = (
                    client.batches.with_raw_response.list(limit=_PAGE, after=after)
                    if after
                    else client.batches.with_raw_response.list(limit=_PAGE)
                )
            except APIStatusError as failure:
                if failure.status_code in _NO_LIST:
                    return None
                raise
            page = read_json(self._connection.hide(got.text))
            listed = page.get("data")
            views = [read_view(one) for one in listed] if isinstance(listed, list) else []
            for view in views:
                if view.key == key or (file_id is not None and view.input_file_id == file_id):
                    return view
            new = {view.batch_id for view in views} - seen
            # A provider that takes no `after` would give the first page for ever.
            if not new or not page.get("has_more"):
                return None
            seen |= new
            after = views[-1].batch_id

    def _try(
        self,
        what: str,
        once: Callable[["OpenAI"], _Result],
        *,
        may_be_gone: bool = False,
        with_file: bool = False,
    ) -> _Result:
        from openai import APIError, APIStatusError

        client = self._connection.file_client() if with_file else self._connection.client()
        n_tries = 0

        def attempt() -> _Result:
            nonlocal n_tries
            n_tries += 1
            try:
                return once(client)
            except APIError as failure:
                status = failure.status_code if isinstance(failure, APIStatusError) else None
                if may_be_gone and status == 404:
                    raise GoneError(str(failure)) from None
                verdict = judge(failure, self._now())
                if isinstance(verdict, RetriableError):
                    raise verdict from None
                reason = verdict.reason if isinstance(verdict, Refusal) else str(verdict)
                raise TeacherStoppedError(
                    self._connection.hide(f"{self._base_url}: could not {what}: {reason}")
                ) from None

        try:
            return self._retrying(attempt)
        except RetriableError as failure:
            raise TeacherStoppedError(
                self._connection.hide(
                    f"{self._base_url}: could not {what} in {n_tries} tries ({failure}); batches"
                    " under way go on there, and a later `dvc repro` collects them"
                )
            ) from None


def _whole_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Regroup bytes so that no line, and so no key in one, is cut in two."""
    rest = bytearray()
    for chunk in chunks:
        rest += chunk
        end = rest.rfind(b"\n", len(rest) - len(chunk)) + 1
        if end:
            yield bytes(rest[:end])
            del rest[:end]
    if rest:
        yield bytes(rest)
