"""`llm2llm validate` asks the hub and the endpoint whether they answer, before any work."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from teacher_server import refusing_url

from llm2llm.cli.reaching import endpoint_problem, hub_problem
from llm2llm.params.openai_chat import OpenAIChatParams

KEY = "sk-very-secret"


class Answering(BaseHTTPRequestHandler):
    """Answer every GET with the server's status, and remember path and key."""

    def do_GET(self) -> None:
        """Answer."""
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        if self.server.location and self.path != self.server.location:
            self.send_response(307)
            self.send_header("Location", self.server.location)
        else:
            self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Keep standard error free."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Run a server on a free port, and let no proxy stand in between."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    found = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    found.status, found.asked, found.location = 200, [], None
    thread = threading.Thread(target=found.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


def url(server: ThreadingHTTPServer) -> str:
    """Give the server's address."""
    return f"http://127.0.0.1:{server.server_address[1]}"


def endpoint(base_url: str, api_key_env: str | None) -> OpenAIChatParams:
    """Make an endpoint's params."""
    return OpenAIChatParams(
        base_url=base_url,
        model="m",
        revision=None,
        api_key_env=api_key_env,
        temperature=None,
        top_p=None,
        max_tokens=None,
        random_seed=None,
        response_format="none",
        extra_body={},
    )


def asked(base_url: str, key: str | None = KEY) -> str | None:
    """Ask about an endpoint whose key is in A_KEY."""
    found = endpoint(base_url, "A_KEY" if key else None)
    return endpoint_problem("teacher_batch.openai", found, {"A_KEY": key}.get)


def test_an_endpoint_that_answers_is_no_problem(server: ThreadingHTTPServer) -> None:
    """Asked once, with its key; one that keeps no list of models is no problem either."""
    assert asked(url(server) + "/v1") is None
    assert server.asked == [("/v1/models", f"Bearer {KEY}")]
    server.status = 404
    assert asked(url(server) + "/v1", key=None) is None
    assert server.asked[1] == ("/v1/models", None)


def test_an_endpoint_that_is_down_is_told() -> None:
    """The message has the address, and no key."""
    found = asked(refusing_url())
    assert "does not answer" in found
    assert "start the teacher there" in found
    assert KEY not in found


def test_a_key_that_is_refused_is_told(server: ThreadingHTTPServer) -> None:
    """The variable is named, its value is not."""
    server.status = 401
    found = asked(url(server) + "/v1")
    assert "refuses the key (status 401); check A_KEY" in found
    assert KEY not in found


@pytest.mark.parametrize("key", [f"{KEY}\nexport B=2", f"“{KEY}”"])
def test_a_key_that_cannot_be_sent_is_not_shown(server: ThreadingHTTPServer, key: str) -> None:
    """One that was copied with more than itself is told of, and not sent; the hub's as well."""
    found = asked(url(server) + "/v1", key)
    assert "A_KEY: the variable's value holds line ends or signs that no key has" in found
    hub = {"HF_ENDPOINT": url(server), "HF_TOKEN": key}
    told = hub_problem("me/mine", None, hub.get)
    assert told.startswith("HF_TOKEN: the variable's value holds line ends")
    assert KEY not in found + told
    assert server.asked == []


def test_a_redirect_gets_no_key(server: ThreadingHTTPServer) -> None:
    """It may lead to anybody."""
    server.location = "/elsewhere"
    assert asked(url(server) + "/v1") is None
    assert server.asked == [("/v1/models", f"Bearer {KEY}"), ("/elsewhere", None)]


def test_a_missing_key_is_another_looks_business() -> None:
    """Nothing is asked without it."""
    assert endpoint_problem("s", endpoint(refusing_url(), "A_KEY"), {}.get) is None


@pytest.mark.parametrize(
    ("status", "message"),
    [(200, None), (404, "does not give me/mine (status 404)"), (401, "your access and HF_TOKEN")],
)
def test_a_hub_is_asked_for_the_model(
    server: ThreadingHTTPServer, status: int, message: str | None
) -> None:
    """By name and revision, at the hub that the environment names."""
    server.status = status
    found = hub_problem("me/mine", "v1", {"HF_ENDPOINT": url(server)}.get)
    assert server.asked == [("/api/models/me/mine/revision/v1", None)]
    assert found is None if message is None else message in found


def test_a_hub_that_cannot_be_reached_is_told() -> None:
    """Both ways out are named; with HF_HUB_OFFLINE nothing is asked."""
    found = hub_problem("me/mine", None, {"HF_ENDPOINT": refusing_url()}.get)
    assert "does not answer" in found
    assert "name the folder of a model" in found
    offline = hub_problem("me/mine", None, {"HF_HUB_OFFLINE": "1"}.get)
    assert "HF_HUB_OFFLINE is set" in offline


def test_a_password_in_a_hubs_address_is_not_shown() -> None:
    """Such a hub is not asked here, and what a library would say of it is told nowhere."""
    assert hub_problem("me/mine", None, {"HF_ENDPOINT": "http://me:pw@127.0.0.1:9"}.get) is None


@pytest.mark.parametrize("model", ["a/b/c", "not an id", "a/", "é/x"])
def test_what_is_no_id_is_told_without_asking(model: str) -> None:
    """A hub would only say that it is not there."""
    found = hub_problem(model, None, {"HF_ENDPOINT": refusing_url()}.get)
    assert f"found {model!r}, expected the id of a hub's model" in found


@pytest.mark.parametrize("model", ["embedded", "./mine", "/models/mine", "~/mine"])
def test_a_local_model_asks_no_hub(model: str) -> None:
    """Nor does the embedded one."""
    assert hub_problem(model, None, {"HF_ENDPOINT": refusing_url()}.get) is None
