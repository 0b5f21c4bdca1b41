"""vLLM's own server, asked through the openai backend."""

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_llama import SCHEMA
from vllm_inputs import MAX_MODEL_LEN, request

from llm2llm.params.teacher_batch import OpenAIParams
from llm2llm.teacher.openai import OpenAITeacher
from llm2llm.teacher.protocol import Answer, Refusal
from llm2llm.teacher.rate import RateLimit

pytestmark = pytest.mark.timeout(400)
_DEADLINE_S = 300.0
_FORM = re.compile(r'{"question":"[A-Z][a-z ]{3,11}","kind":"(LOC|NUM)"}')


def is_healthy(port: int) -> bool:
    """Ask for /health on this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def healthy_port(server: subprocess.Popen, log: Path) -> int:
    """Wait until the server is up on the port that the system gave it."""
    process = psutil.Process(server.pid)
    end = time.monotonic() + _DEADLINE_S
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text(errors="replace")[-3000:]
        for connection in process.net_connections(kind="tcp4"):
            port = connection.laddr.port
            if connection.status == psutil.CONN_LISTEN and is_healthy(port):
                return port
        time.sleep(0.25)
    raise TimeoutError(log.read_text(errors="replace")[-3000:])


@pytest.fixture(scope="module")
def url(chat_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the model as docs/teacher.md says."""
    log = tmp_path_factory.mktemp("server") / "log"
    arguments = ["--model", chat_model, "--served-model-name", "tiny", "--port", "0"]
    arguments += ["--host", "127.0.0.1", "--dtype", "float32", "--enforce-eager"]
    arguments += ["--max-model-len", str(MAX_MODEL_LEN), "--generation-config", "vllm"]
    arguments += [
        "--structured-outputs-config",
        json.dumps({"backend": "xgrammar", "disable_any_whitespace": True}),
    ]
    with log.open("wb") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *arguments],
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            env=os.environ | {"VLLM_NO_USAGE_STATS": "1"},
        )
    try:
        yield f"http://127.0.0.1:{healthy_port(server, log)}/v1"
    finally:
        # The engine is a child of the server: the whole group ends.
        os.killpg(server.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(30)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def teacher(url: str, **changes: Any) -> OpenAITeacher:
    """Make the openai backend's teacher at the server."""
    values: dict[str, Any] = {
        "base_url": url,
        "model": "tiny",
        "revision": None,
        "api_key_env": None,
        "temperature": 1.0,
        "top_p": None,
        "max_tokens": 160,
        "random_seed": 7,
        "response_format": "json_schema",
        "extra_body": {},
    }
    stop = threading.Event()
    return OpenAITeacher(
        OpenAIParams.model_validate(values | changes),
        api_key=None,
        timeout_s=60.0,
        max_attempts=2,
        concurrency=4,
        rate=RateLimit(
            requests_per_minute=None,
            tokens_per_minute=None,
            clock=time.monotonic,
            sleep=stop.wait,
        ),
        now=time.time,
        sleep=stop.wait,
        stop=stop,
    )


def test_a_served_answer_follows_the_schema(url: str) -> None:
    """With response_format json_schema random weights answer with JSON of that schema."""
    asked = teacher(url)
    for draw in range(6):
        answer = asked.ask(request(draw=draw, response_schema=SCHEMA))
        assert isinstance(answer, Answer)
        assert answer.finish_reason == "stop"
        assert _FORM.fullmatch(answer.text)
        assert answer.teacher == "tiny"
        assert answer.n_completion_tokens == len(answer.text) + 1


def test_it_is_the_schema_that_makes_the_json(url: str) -> None:
    """Without a schema, or with response_format none, the same model writes noise."""
    asked = [
        teacher(url).ask(request()),
        teacher(url, response_format="none").ask(request(response_schema=SCHEMA)),
    ]
    for answer in asked:
        assert isinstance(answer, Answer)
        assert not answer.text.startswith("{")


def test_served_draws_have_seeds_of_their_own(url: str) -> None:
    """The same request is answered the same again, another draw otherwise."""
    asked = teacher(url)
    first, again, other = (
        asked.ask(request(draw=draw, response_schema=SCHEMA)) for draw in (0, 0, 1)
    )
    assert first.text == again.text
    assert first.text != other.text


def test_a_prompt_that_is_too_long_is_a_bad_request(url: str) -> None:
    """VLLM's 400 becomes a failed row, not an outage."""
    refusal = teacher(url).ask(request("a" * (MAX_MODEL_LEN + 1)))
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith("bad request (400")
