"""Submit requests as batches: as many as budget and limits let through, each recorded first."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from llm2llm.ids import canonical_json
from llm2llm.ledger.batches import Batch, Batches, BatchRequest, OpenRequest
from llm2llm.params.teacher_openai_batch import OpenAIBatchParams
from llm2llm.teacher.entries import Recorder, describe
from llm2llm.teacher.lengths import most_completion_tokens, most_prompt_tokens
from llm2llm.teacher.openai_batch.holds import Holds
from llm2llm.teacher.openai_batch.provider import Provider
from llm2llm.teacher.openai_batch.request_file import estimate_tokens, request_line
from llm2llm.teacher.openai_batch.states import Created, NotThere, Uploaded, advance
from llm2llm.teacher.openai_chat import OpenAIChat
from llm2llm.teacher.protocol import TeacherRequest, TeacherStoppedError

# So many requests are entered into the ledger in one commit.
_GROUP = 500


@dataclass(frozen=True, slots=True)
class _Line:
    """A request on its way into a file."""

    row: BatchRequest
    text: bytes
    n_tokens: int


class _File:
    """A request file as it grows."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.n_requests = 0
        self.n_bytes = 0
        self.n_tokens = 0
        self._sha256 = hashlib.sha256()

    def write(self, line: _Line) -> None:
        """Append a line."""
        self.stream.write(line.text)
        self._sha256.update(line.text)
        self.n_requests += 1
        self.n_bytes += len(line.text)
        self.n_tokens += line.n_tokens

    def uploaded(self, file_id: str) -> Uploaded:
        """Say what was uploaded under that id."""
        return Uploaded(
            file_id=file_id,
            file_sha256=self._sha256.hexdigest(),
            n_requests=self.n_requests,
            n_bytes=self.n_bytes,
            n_tokens=self.n_tokens,
        )


class Submitter:
    """Submit batches; request files lie nameless in `folder` until they are uploaded."""

    def __init__(
        self,
        params: OpenAIBatchParams,
        chat: OpenAIChat,
        batches: Batches,
        recorder: Recorder,
        provider: Provider,
        holds: Holds,
        *,
        folder: Path,
        say: Callable[[str], None],
    ) -> None:
        self._params = params
        self._chat = chat
        self._batches = batches
        self._recorder = recorder
        self._provider = provider
        self._holds = holds
        self._folder = folder
        self._say = say
        self._endpoint = params.base_url.rstrip("/")
        self._most = most_completion_tokens(chat.identity)

    def submit(self, requests: Iterator[TeacherRequest]) -> TeacherStoppedError | None:
        """Submit batch after batch while there is room; gives what the budget says, if it is out.

        Raises TeacherStoppedError where the provider takes none.
        """
        source = _Source(requests)
        while not source.is_empty():
            over = self._submit_one(source)
            if over is not None or source.is_held_up:
                return over
        return None

    def _submit_one(self, source: "_Source") -> TeacherStoppedError | None:
        batch = self._batches.plan(
            self._endpoint, self._params.model, self._most, self._recorder.moment()
        )
        try:
            with tempfile.TemporaryFile(dir=self._folder) as stream:
                file = _File(stream)
                try:
                    over = self._fill(batch, file, source)
                    if not file.n_requests:
                        self._batches.save(advance(batch, NotThere()), of=batch.state)
                        return over
                    file_id = self._provider.upload(stream, f"llm2llm-{batch.key[:16]}.jsonl")
                except TeacherStoppedError:
                    # Nothing can have been made of it yet: its requests are free at once.
                    self._batches.save(advance(batch, NotThere()), of=batch.state)
                    raise
            uploaded = advance(batch, file.uploaded(file_id))
            self._batches.save(uploaded, of=batch.state)
            # A failure here leaves the batch as uploaded: it may exist, and is looked for next.
            view = self._provider.create(batch.key, file_id, self._params.completion_window)
            submitted = advance(uploaded, Created(view.batch_id, view.status))
            self._batches.save(submitted, of=uploaded.state)
            self._say(f"batch {view.batch_id} submitted: {file.n_requests} requests")
            return over
        finally:
            self._batches.release(batch)

    def _fill(self, batch: Batch, file: _File, source: "_Source") -> TeacherStoppedError | None:
        enqueued = self._batches.n_enqueued_tokens(self._endpoint, self._params.model)
        group: list[_Line] = []
        n_requests = n_bytes = n_tokens = 0
        over: TeacherStoppedError | None = None
        while not source.is_empty():
            line = self._line(source.peek())
            if n_requests == self._params.max_requests_per_batch:
                break
            if n_bytes + len(line.text) > self._params.max_bytes_per_batch:
                break
            if not self._has_room(line.n_tokens, n_tokens + enqueued):
                source.is_held_up = True
                break
            try:
                self._holds.reserve(_open(line.row, self._most))
            except TeacherStoppedError as failure:
                over = failure
                break
            source.take()
            group.append(line)
            n_requests, n_bytes = n_requests + 1, n_bytes + len(line.text)
            n_tokens += line.n_tokens
            if len(group) == _GROUP:
                self._enter(batch, group, file)
                group = []
        self._enter(batch, group, file)
        return over

    def _enter(self, batch: Batch, group: list[_Line], file: _File) -> None:
        """Write the lines of the requests that no other process was quicker to take."""
        rows = (line.row for line in group)
        taken = self._batches.take(batch, rows, n_before=file.n_requests)
        for line in group:
            if line.row.request_id in taken:
                file.write(line)
            else:
                self._holds.settle(line.row.request_id, None)

    def _has_room(self, n_tokens: int, n_enqueued: int) -> bool:
        most = self._params.max_enqueued_tokens
        # One that is larger than the limit goes alone, and the provider shall judge.
        return most is None or not n_enqueued or n_enqueued + n_tokens <= most

    def _line(self, request: TeacherRequest) -> _Line:
        body = {**self._chat.body(request), **self._params.extra_body}
        text = request_line(request.request_id, body)
        if len(text) > self._params.max_bytes_per_batch:
            raise TeacherStoppedError(
                f"{request.request_id} ({request.subject}) takes {len(text)} bytes,"
                " `openai_batch.max_bytes_per_batch` of its section in params.yaml is"
                f" {self._params.max_bytes_per_batch}; raise it"
            )
        description = canonical_json(describe(request, self._chat.identify(request)))
        row = BatchRequest(
            request_id=request.request_id,
            seed_id=request.seed_id,
            draw=request.draw,
            request=description,
            most_prompt_tokens=most_prompt_tokens(description),
        )
        return _Line(row, text, estimate_tokens(text, self._most))


class _Source:
    """Requests with a look at the next one; `is_held_up` when the provider has no room for it."""

    def __init__(self, requests: Iterator[TeacherRequest]) -> None:
        self._requests = requests
        self._next = next(requests, None)
        self.is_held_up = False

    def is_empty(self) -> bool:
        """Say whether nothing is left."""
        return self._next is None

    def peek(self) -> TeacherRequest:
        """Give the next request, and leave it there."""
        if self._next is None:
            raise StopIteration
        return self._next

    def take(self) -> None:
        """Go on to the one after."""
        self._next = next(self._requests, None)


def _open(row: BatchRequest, most: int | None) -> OpenRequest:
    return OpenRequest(row.request_id, row.most_prompt_tokens, most)
