"""The provider's side of a batch: files up and down, batches made, found and looked at."""

import random
import re
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

from llm2llm.teacher.openai_batch.output_lines import read_line
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
_OBJECT = re.compile(rb"^(?:\xef\xbb\xbf)?\{", re.MULTILINE)


class GoneError(Exception):
    """The provider does not know the batch or the file (404), however often it is asked."""


class CutError(Exception):
    """A file came as often as it may be asked for, with `n_lines` only or a torn last one."""

    def __init__(self, problem: str, n_lines: int) -> None:
        super().__init__(problem)
        self.n_lines = n_lines


class UnlistedError(TeacherStoppedError):
    """The key may not list the batches (403)."""


class _NotThereError(RetriableError):
    """A call was answered with 404, as a proxy in trouble does too."""


class _CutError(RetriableError):
    """A file did not come whole."""

    def __init__(self, reason: str, n_lines: int) -> None:
        super().__init__(reason)
        self.n_lines = n_lines


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
        """Look for a batch by our key in its metadata, else by its request file.

        Raises UnlistedError where the key may not do that.
        """
        return self._try("list the batches", lambda client: self._find(client, key, file_id))

    def retrieve(self, batch_id: str) -> View:
        """Look at a batch; raises GoneError where the provider does not know it."""

        def once(client: "OpenAI") -> View:
            got = client.batches.with_raw_response.retrieve(batch_id)
            return read_view(read_json(self._connection.hide(got.text)))

        return self._try(f"look at batch {batch_id}", once, may_be_gone=True)

    def download(self, file_id: str, into: BinaryIO, n_expected: int) -> int:
        """Fetch a file, with the key blotted out; gives how many lines it has.

        Raises GoneError where there is none, and CutError where it is shorter than expected to
        the last try, or ends within a line; `into` holds what came.
        """

        def once(client: "OpenAI") -> int:
            # The client's own library: it wraps no failure in the middle of a stream.
            from httpx2 import HTTPError

            into.seek(0)
            into.truncate()
            n_bytes, n_lines, has_objects, last = 0, 0, False, b""
            try:
                with client.files.with_streaming_response.content(file_id) as reply:
                    for lines in _whole_lines(reply.iter_bytes()):
                        n_bytes += into.write(self._connection.hide_bytes(lines))
                        n_lines += sum(1 for line in lines.split(b"\n") if line.strip())
                        has_objects = has_objects or _OBJECT.search(lines) is not None
                        last = lines
            except HTTPError as failure:
                raise RetriableError(f"the connection broke ({type(failure).__name__})") from None
            # A proxy's page in place of the answers must not look like their absence.
            if n_bytes and not has_objects:
                raise RetriableError("what came holds no line of JSON")
            # A closed connection looks like the end of a file that came without its length.
            if last.strip() and not last.endswith(b"\n") and read_line(last) is None:
                raise _CutError(f"file {file_id} ends within a line", n_lines)
            if n_lines < n_expected:
                problem = f"file {file_id} has {n_lines} lines, the batch counts {n_expected}"
                raise _CutError(problem, n_lines)
            return n_lines

        return self._try(f"fetch file {file_id}", once, may_be_gone=True, with_file=True)

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
                if failure.status_code == 403:
                    verdict = judge(failure, self._now(), self._connection.hide)
                    raise UnlistedError(f"could not list the batches: {verdict}") from None
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
                    raise _NotThereError("404") from None
                connection = self._connection
                verdict = judge(failure, self._now(), connection.hide, connection.no_key)
                if isinstance(verdict, RetriableError):
                    raise verdict from None
                reason = verdict.reason if isinstance(verdict, Refusal) else str(verdict)
                raise TeacherStoppedError(
                    self._connection.hide(f"{self._base_url}: could not {what}: {reason}")
                ) from None

        try:
            return self._retrying(attempt)
        except _NotThereError:
            raise GoneError(f"could not {what}: 404") from None
        except _CutError as failure:
            raise CutError(str(failure), failure.n_lines) from None
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
