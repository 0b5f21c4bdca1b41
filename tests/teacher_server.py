"""A real HTTP server that answers chat completions like a teacher, or misbehaves on purpose.

`python tests/teacher_server.py --port 0 --kind trec --log FILE` prints its URL and serves.
"""

import argparse
import contextlib
import hashlib
import json
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from order_mails import order_mail

PLACES = ["Corvale", "Dunmere", "Eskholm", "Farrowick", "Gildport", "Hartmoor", "Ilvermar"]
PEOPLE = [
    "Ada Fenwick",
    "Bruno Castell",
    "Clio Marchetti",
    "Doran Vale",
    "Edda Quill",
    "Ferris Oake",
]
THINGS = ["lantern", "harbor clock", "copper kettle", "glass organ", "tide mill", "snow plow"]
SHORT = ["FXQ", "TLM", "RDV", "KBN", "OPW", "ZSG"]
YEARS = ["opening", "last repair", "grand sale", "first parade", "great fire"]

QUESTIONS = {
    "ABBR": ["What does the abbreviation {short} mean on a {thing} from {place} ?",
             "What is {short} short for in the {place} records of {year} ?"],
    "DESC": ["Why did the {thing} of {place} stop working after the {year} ?",
             "How is a {thing} made in {place} ?"],
    "ENTY": ["What animal is shown on the {thing} of {place} ?",
             "Which dish was served in {place} at the {year} of the {thing} ?"],
    "HUM": ["Who built the {thing} in {place} before the {year} ?",
            "Which company did {person} of {place} lead during the {year} ?"],
    "LOC": ["Where was {person} of {place} born ?",
            "In what country is the {thing} of {place} kept since the {year} ?"],
    "NUM": ["How many people in {place} own a {thing} ?",
            "When was the {year} of the {thing} in {place} ?"],
}  # fmt: skip


@dataclass
class Reply:
    """What the server does with one request; by default it answers it.

    `reset_after` bytes of the body the connection is reset; `drip_s` passes before each byte.
    """

    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    hang_up: bool = False
    hold: threading.Event | None = None
    reset_after: int | None = None
    drip_s: float = 0.0


Script = Callable[[dict[str, Any], int], Reply]


def error(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    """Make an error as OpenAI words it; header names are written with underscores."""
    body = {"error": {"message": message, "type": code, "param": None, "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status=status, body=json.dumps(body).encode(), headers=named)


def sent(messages: Any) -> str:
    """Name what was sent by the messages alone, as the ledger's `request` has them too."""
    return hashlib.sha256(json.dumps(messages, sort_keys=True).encode()).hexdigest()


def completion(text: str | None, finish_reason: str = "stop", **message: Any) -> Reply:
    """Make a chat completion with that text."""
    return Reply(body=completion_body(text, finish_reason, **message))


def completion_body(text: str | None, finish_reason: str = "stop", **message: Any) -> bytes:
    """Write a chat completion's JSON."""
    body = {
        "id": "chatcmpl-test",
        "object": "chat.completion",
        "created": 0,
        "model": "test-teacher-0001",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": finish_reason,
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }
    return json.dumps(body).encode()


def trec_answer(user: str, rng: random.Random) -> str:
    """Write a question of the class that the prompt names."""
    found = re.search(r"Correct (?:class|label): *(\w+)", user)
    label = found[1] if found else "DESC"
    question = rng.choice(QUESTIONS[label]).format(
        short=rng.choice(SHORT),
        thing=rng.choice(THINGS),
        place=rng.choice(PLACES),
        person=rng.choice(PEOPLE),
        year=f"{rng.choice(YEARS)} of {rng.randint(1700, 1999)}",
    )
    return json.dumps({"text": question})


def gsm8k_answer(_user: str, rng: random.Random) -> str:
    """Write a two-step problem whose arithmetic holds."""
    person, place, thing = rng.choice(PEOPLE), rng.choice(PLACES), rng.choice(THINGS)
    boxes, each, sold = rng.randint(3, 19), rng.randint(4, 29), rng.randint(2, 11)
    total = boxes * each
    question = (
        f"{person} has {boxes} boxes in {place}, each with {each} drawings of a {thing}."
        f" {sold} drawings are sold. How many drawings are left?"
    )
    answer = (
        f"There are {boxes}*{each}=<<{boxes}*{each}={total}>>{total} drawings.\n"
        f"{total}-{sold}=<<{total}-{sold}={total - sold}>>{total - sold} are left.\n"
        f"#### {total - sold}"
    )
    return json.dumps({"question": question, "answer": answer})


def orders_answer(_user: str, rng: random.Random) -> str:
    """Write a short mail about an order, and what can be read out of it."""
    mail, answer = order_mail(rng)
    return json.dumps({"mail": mail, "answer": answer})


ANSWERS = {"trec": trec_answer, "gsm8k": gsm8k_answer, "orders": orders_answer}


class TeacherServer(ThreadingHTTPServer):
    """Serve /v1/chat/completions on a free port; `script` may decide on each request.

    `received` and `answered` hold the names (a hash of body and repetition) of requests in order;
    a request counts as answered once all of a good answer went out. `log`, a JSONL file, gets the
    same.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        kind: str = "trec",
        script: Script | None = None,
        port: int = 0,
        log: Path | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.kind = kind
        self.script = script
        self.log = log
        self.lock = threading.Lock()
        self.bodies: list[dict[str, Any]] = []
        self.authorizations: list[str | None] = []
        self.received: list[str] = []
        self.answered: list[str] = []
        self.n_open = 0
        self.n_in_flight = 0
        self.most_in_flight = 0
        self.seen: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """The base URL that a client is given."""
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def note(self, event: str, name: str, body: dict[str, Any]) -> None:
        """Remember, and log, that a request was received or answered."""
        with self.lock:
            (self.received if event == "received" else self.answered).append(name)
            if self.log is not None:
                with self.log.open("a", encoding="utf-8") as stream:
                    stream.write(
                        json.dumps(
                            {"event": event, "request": name, "sent": sent(body["messages"])}
                        )
                    )
                    stream.write("\n")

    def wait_idle(self) -> None:
        """Wait until every request is noted: a client may read its answer before that."""
        while self.n_open:
            time.sleep(0.005)

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that are killed in the middle are the point of some tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: TeacherServer

    def do_GET(self) -> None:
        """Answer a health check."""
        self._write(200, b'{"object": "list", "data": []}', {})

    def do_POST(self) -> None:
        """Answer one chat request as the script says."""
        with self.server.lock:
            self.server.n_open += 1
        try:
            self._serve()
        finally:
            with self.server.lock:
                self.server.n_open -= 1

    def _serve(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        content = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
        with server.lock:
            number = len(server.bodies)
            server.bodies.append(body)
            server.authorizations.append(self.headers.get("Authorization"))
            server.n_in_flight += 1
            server.most_in_flight = max(server.most_in_flight, server.n_in_flight)
        server.note("received", content, body)
        try:
            reply = server.script(body, number) if server.script else Reply()
            if reply.delay_s:
                time.sleep(reply.delay_s)
            if reply.hold is not None:
                reply.hold.wait(60)
            if reply.hang_up:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            payload = self._answer(body, content) if reply.body is None else reply.body
        finally:
            with server.lock:
                server.n_in_flight -= 1
        if reply.reset_after is not None or reply.drip_s:
            self._write_badly(reply, payload)
            return
        self._write(reply.status, payload, reply.headers)
        if reply.status == 200:
            server.note("answered", content, body)

    def _answer(self, body: dict[str, Any], content: str) -> bytes:
        # Without a seed in the body the same request gets another answer each time it is sent.
        with self.server.lock:
            repetition = self.server.seen[content]
            self.server.seen[content] += 1
        rng = random.Random(f"{content} {repetition if 'seed' not in body else ''}")
        return completion_body(ANSWERS[self.server.kind](body["messages"][-1]["content"], rng))

    def _write_badly(self, reply: Reply, payload: bytes) -> None:
        """Send part of the body and reset the connection, or send it byte by byte."""
        self.close_connection = True
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        for byte in payload[: reply.reset_after]:
            time.sleep(reply.drip_s)
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
        if reply.reset_after is not None:
            # Closing with a linger of zero sends a reset instead of an orderly end.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _write(self, status: int, payload: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Keep standard error free."""


@contextlib.contextmanager
def serving(
    script: Script | None = None, kind: str = "trec", log: Path | None = None
) -> Iterator[TeacherServer]:
    """Run a server in this process, on a free port."""
    server = TeacherServer(kind, script, log=log)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refusing_url() -> str:
    """Give the URL of a port of this machine at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--kind", choices=sorted(ANSWERS), default="trec")
    parser.add_argument("--log", type=Path, help="JSONL file: requests received and answered")
    parser.add_argument("--delay-s", type=float, default=0.0, help="time each answer takes")
    arguments = parser.parse_args()

    def script(_body: dict[str, Any], _number: int) -> Reply:
        return Reply(delay_s=arguments.delay_s)

    server = TeacherServer(arguments.kind, script, port=arguments.port, log=arguments.log)
    print(server.url, flush=True)  # noqa: T201 - whoever started it reads the address here
    server.serve_forever()


if __name__ == "__main__":
    main()
