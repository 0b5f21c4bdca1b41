"""A real HTTP server with the files and batches of a provider, which misbehaves on purpose."""

import contextlib
import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from teacher_server import Reply, completion_body


@dataclass
class Job:
    """A batch as the provider holds it."""

    batch: dict[str, Any]
    lines: list[dict[str, Any]]
    n_looks: int = 0

    @property
    def names(self) -> list[str]:
        """The custom ids, in the file's order."""
        return [line["custom_id"] for line in self.lines]


@dataclass
class End:
    """How a batch ends: its status, the lines of its files (None: no such file), its problems.

    `changes` replaces what the provider then says of it.
    """

    status: str = "completed"
    output: list[bytes] | None = None
    errors: list[bytes] | None = None
    problems: list[dict[str, Any]] | None = None
    changes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Call:
    """One call: `kind` is upload, create, list, look or fetch; `number` counts it in its kind."""

    kind: str
    number: int
    path: str


Hook = Callable[[Call], Reply | None]


def answer_line(name: str, text: str | None = None, **changes: Any) -> bytes:
    """Write an output line as OpenAI does; `changes` go into the response."""
    body = completion_body(f"answer to {name}" if text is None else text).decode()
    response = {"status_code": 200, "request_id": f"req-{name[:6]}"} | changes
    head = json.dumps(response)[:-1]
    inner = head if "body" in changes else f'{head}, "body": {body}'
    return (
        f'{{"id": "batch_req_{name[:6]}", "custom_id": "{name}", "response": {inner}}},'
        ' "error": null}'
    ).encode()


def failure_line(name: str, status: int, message: str, code: str | None = None) -> bytes:
    """Write the line of a request that the model's endpoint refused."""
    body = {"error": {"message": message, "type": code, "param": None, "code": code}}
    return answer_line(name, status_code=status, body=body)


def error_line(name: str, code: str, message: str = "not executed") -> bytes:
    """Write the line of a request that was never executed."""
    line = {"custom_id": name, "response": None, "error": {"code": code, "message": message}}
    return json.dumps(line).encode()


def all_answered(job: Job) -> End:
    """Answer every request, in the file's order."""
    return End(output=[answer_line(name) for name in job.names])


class BatchServer(ThreadingHTTPServer):
    """Serve /v1/files and /v1/batches; a batch ends at its `n_looks`-th look, as `finish` says.

    `before` and `after` may replace the reply to a call, before or after it took effect.
    `submitted` counts in how many batches a request stood. So many fetches as `n_cut` says break
    off in the middle; so many as `n_torn` come without their length and as `tear` leaves them;
    with `drip_s` a file comes in four parts, so many seconds apart.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.finish: Callable[[Job], End] = all_answered
        self.before: Hook = lambda _call: None
        self.after: Hook = lambda _call: None
        self.n_looks = 1
        self.page = 2
        self.keeps_metadata = True
        self.n_cut = 0
        self.n_torn = 0
        self.tear: Callable[[bytes], bytes] = lambda content: content[: len(content) // 2]
        self.drip_s = 0.0
        self.lock = threading.RLock()
        self.files: dict[str, bytes] = {}
        self.jobs: dict[str, Job] = {}
        self.submitted: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.authorizations: set[str | None] = set()

    @property
    def url(self) -> str:
        """The base URL that a client is given."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def store(self, content: bytes) -> str:
        """Keep a file; gives its id."""
        with self.lock:
            file_id = f"file-{len(self.files)}"
            self.files[file_id] = content
        return file_id

    def create(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Make a batch."""
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        with self.lock:
            batch: dict[str, Any] = {
                "id": f"batch_{len(self.jobs)}",
                "object": "batch",
                "endpoint": asked["endpoint"],
                "completion_window": asked["completion_window"],
                "input_file_id": asked["input_file_id"],
                "status": "validating",
                "metadata": asked["metadata"] if self.keeps_metadata else None,
                "created_at": 1_800_000_000 + len(self.jobs),
                "output_file_id": None,
                "error_file_id": None,
                "errors": None,
                "request_counts": {"total": len(lines), "completed": 0, "failed": 0},
            }
            job = Job(batch, lines)
            self.jobs[batch["id"]] = job
            self.submitted.update(job.names)
        return batch

    def look(self, job: Job) -> dict[str, Any]:
        """Show a batch, and bring it on."""
        with self.lock:
            job.n_looks += 1
            if job.batch["status"] in ("validating", "in_progress"):
                job.batch["status"] = "in_progress"
                if job.n_looks >= self.n_looks:
                    self._end(job, self.finish(job))
        return job.batch

    def _end(self, job: Job, end: End) -> None:
        job.batch["status"] = end.status
        job.batch["errors"] = None if end.problems is None else {"data": end.problems}
        for name, lines in (("output_file_id", end.output), ("error_file_id", end.errors)):
            if lines is not None:
                job.batch[name] = self.store(b"".join(line + b"\n" for line in lines))
        job.batch["request_counts"]["completed"] = len(end.output or [])
        job.batch["request_counts"]["failed"] = len(end.errors or [])
        job.batch.update(end.changes)

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that are killed in the middle are the point of some tests."""


@dataclass
class _Done:
    status: int
    payload: bytes
    headers: dict[str, str] = field(default_factory=dict)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: BatchServer

    def do_GET(self) -> None:
        """Show batches and files."""
        self._serve()

    def do_POST(self) -> None:
        """Take files and batches."""
        self._serve()

    def _serve(self) -> None:
        server = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self._call()
        with server.lock:
            server.authorizations.add(self.headers.get("Authorization"))
        early = server.before(call)
        done = self._as_told(early) if early else self._do(call, body)
        late = None if early else server.after(call)
        if late is not None:
            done = self._as_told(late)
        if done is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        is_torn = call.kind == "fetch" and call.number <= server.n_torn
        self.send_response(done.status)
        for name, value in {"Content-Type": "application/json", **done.headers}.items():
            self.send_header(name, value)
        if is_torn:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(done.payload)))
        self.end_headers()
        if is_torn:
            self.wfile.write(server.tear(done.payload))
        elif call.kind == "fetch" and call.number <= server.n_cut:
            self.wfile.write(done.payload[: len(done.payload) // 2])
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif call.kind == "fetch" and server.drip_s:
            part = len(done.payload) // 4 + 1
            for begin in range(0, len(done.payload), part):
                self.wfile.write(done.payload[begin : begin + part])
                time.sleep(server.drip_s)
        else:
            self.wfile.write(done.payload)

    def _as_told(self, reply: Reply) -> _Done | None:
        if reply.hang_up:
            return None
        return _Done(reply.status, reply.body or b"{}", reply.headers)

    def _call(self) -> Call:
        path = self.path.partition("?")[0].removeprefix("/v1/")
        kinds = {
            ("POST", "files"): "upload",
            ("POST", "batches"): "create",
            ("GET", "batches"): "list",
        }
        kind = kinds.get((self.command, path)) or (
            "look" if path.startswith("batches/") else "fetch"
        )
        with self.server.lock:
            self.server.calls[kind] += 1
            return Call(kind, self.server.calls[kind], path)

    def _do(self, call: Call, body: bytes) -> _Done:
        server = self.server
        if call.kind == "upload":
            content = _file_in(body)
            return _json({"id": server.store(content), "object": "file", "bytes": len(content)})
        if call.kind == "create":
            return _json(server.create(json.loads(body)))
        if call.kind == "list":
            return _json(self._page())
        name = call.path.split("/")[1]
        if call.kind == "look" and name in server.jobs:
            return _json(server.look(server.jobs[name]))
        if call.kind == "fetch" and name in server.files:
            content_type = {"Content-Type": "application/octet-stream"}
            return _Done(200, server.files[name], content_type)
        return _json({"error": {"message": f"no {name}", "code": None, "type": None}}, 404)

    def _page(self) -> dict[str, Any]:
        newest_first = [job.batch for job in reversed(self.server.jobs.values())]
        found = re.search(r"after=([^&]+)", self.path)
        if found:
            ids = [batch["id"] for batch in newest_first]
            newest_first = newest_first[ids.index(found[1]) + 1 :]
        page = newest_first[: self.server.page]
        return {"object": "list", "data": page, "has_more": len(page) < len(newest_first)}

    def log_message(self, *_: Any) -> None:
        """Keep standard error free."""


def _json(value: dict[str, Any], status: int = 200) -> _Done:
    return _Done(status, json.dumps(value).encode())


def _file_in(body: bytes) -> bytes:
    """Cut the file out of a multipart form."""
    boundary = body.partition(b"\r\n")[0]
    for part in body.split(boundary):
        head, _, content = part.partition(b"\r\n\r\n")
        if b'name="file"' in head:
            return content.removesuffix(b"\r\n")
    raise AssertionError("no file in the form")


@contextlib.contextmanager
def serving_batches() -> Iterator[BatchServer]:
    """Run a server in this process, on a free port."""
    server = BatchServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
