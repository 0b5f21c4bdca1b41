"""The openai backend against a real server that misbehaves on purpose."""

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from teacher_server import (
    Reply,
    Script,
    completion,
    completion_body,
    error,
    refusing_url,
    serving,
)

from llm2llm.exceptions import ParamsError
from llm2llm.ids import canonical_json
from llm2llm.ledger.database import Ledger
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.teacher_batch import OpenAIParams, TeacherBatchParams
from llm2llm.tasks.sections import ResponseFormat
from llm2llm.teacher.adaptive_limit import AdaptiveLimit
from llm2llm.teacher.backends import Edge, make_sender
from llm2llm.teacher.openai import OpenAITeacher
from llm2llm.teacher.protocol import (
    Answer,
    Message,
    Refusal,
    TeacherOutageError,
    TeacherRequest,
    TeacherStoppedError,
)
from llm2llm.teacher.rate import RateLimit
from llm2llm.teacher.retry import RetriableError, read_retry_after, retrying
from llm2llm.teacher_prompts import response_schema

KEY = "sk-marker-4f1c9a"
RESPONSE = ResponseFormat(kind="json", input="text", target=None, pattern=None)
NOW = 1_800_000_000.0
NO_RATE = RateLimit(
    requests_per_minute=None, tokens_per_minute=None, clock=lambda: 0.0, sleep=lambda _s: None
)


def openai_params(url: str = "http://127.0.0.1:1/v1", **changes: Any) -> OpenAIParams:
    """Make the section `teacher_batch.openai`."""
    values: dict[str, Any] = {
        "base_url": url,
        "model": "test-teacher",
        "revision": None,
        "api_key_env": None,
        "temperature": 1.0,
        "top_p": None,
        "max_tokens": 200,
        "random_seed": None,
        "response_format": "none",
        "extra_body": {},
    }
    return OpenAIParams.model_validate(values | changes)


def teacher_batch(**changes: Any) -> TeacherBatchParams:
    """Make the section `teacher_batch`, for the openai backend."""
    values: dict[str, Any] = {
        "backend": "openai",
        "replay": False,
        "attempts": 1,
        "solves": 0,
        "accepted_failures": 0.0,
        "openai": openai_params(),
        "openai_batch": None,
        "vllm": None,
    }
    return TeacherBatchParams(**(values | changes))


def edge(**changes: Any) -> Edge:
    """Make surroundings that say nothing, know no key and let everything be paid."""
    values: dict[str, Any] = {
        "key": lambda _name: None,
        "now": lambda: NOW,
        "clock": time.monotonic,
        "say": lambda _text: None,
        "on_tally": lambda _tally: None,
        "may_pay": lambda _n: None,
        "stop": threading.Event(),
        "set_default": lambda _name, _value: None,
    }
    return Edge(**(values | changes))


def runtime(**changes: Any) -> RuntimeParams:
    """Make the section `runtime`."""
    values: dict[str, Any] = {
        "teacher_concurrency": 4,
        "teacher_timeout_s": 20.0,
        "teacher_max_attempts": 3,
        "teacher_requests_per_minute": None,
        "teacher_tokens_per_minute": None,
        "openai_batch": {"poll_every_s": 60.0, "wait": True},
        "max_requests": None,
        "max_tokens": None,
        "max_cost": None,
        "price_per_million_prompt_tokens": None,
        "price_per_million_completion_tokens": None,
        "pay_again": False,
        "checkpoint_every_steps": 10,
    }
    return RuntimeParams.model_validate(values | changes)


def request(**changes: Any) -> TeacherRequest:
    """Make a request."""
    values: dict[str, Any] = {
        "request_id": "rq-" + "0" * 64,
        "seed_id": "ex-1",
        "purpose": "write",
        "about": None,
        "draw": 0,
        "random_seed": 0,
        "messages": (Message("system", "Be brief."), Message("user", "Correct class: LOC")),
        "seed_input": "Where ?",
        "seed_target": "LOC",
        "response_schema": response_schema(RESPONSE),
    }
    return TeacherRequest(**(values | changes))


def teacher(
    params: OpenAIParams,
    *,
    api_key: str | None = None,
    sleeps: list[float] | None = None,
    stop: threading.Event | None = None,
    timeout_s: float = 20.0,
    concurrency: int = 4,
) -> OpenAITeacher:
    """Make a teacher that sleeps by noting it."""
    return OpenAITeacher(
        params,
        api_key=api_key,
        timeout_s=timeout_s,
        max_attempts=3,
        concurrency=concurrency,
        rate=NO_RATE,
        now=lambda: NOW,
        sleep=(sleeps if sleeps is not None else []).append,
        stop=stop or threading.Event(),
    )


def in_turn(*replies: Reply) -> Script:
    """Reply in this order, then well."""
    return lambda _body, number: replies[number] if number < len(replies) else Reply()


def always(reply: Callable[[], Reply]) -> Script:
    """Reply the same every time."""
    return lambda _body, _number: reply()


# ----------------------------------------------------------------------------------- what is sent


def test_what_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """The body holds exactly the params that are not null, the messages and the extra fields."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-service")
    with serving() as server:
        params = openai_params(server.url, extra_body={"min_p": 0.1}, response_format="json_schema")
        answer = teacher(params).ask(request())
        assert isinstance(answer, Answer)
        (body,) = server.bodies
        assert server.authorizations == ["Bearer none"]
    assert body == {
        "model": "test-teacher",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Correct class: LOC"},
        ],
        "temperature": 1.0,
        "max_tokens": 200,
        "min_p": 0.1,
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "candidate",
                "strict": True,
                "schema": {
                    "type": "object",
                    "properties": {"text": {"type": "string"}},
                    "required": ["text"],
                    "additionalProperties": False,
                },
            },
        },
    }


def test_what_comes_back() -> None:
    """Text, model, usage and the raw JSON are kept as the endpoint reports them."""
    with serving(always(lambda: completion("hello", "length"))) as server:
        answer = teacher(openai_params(server.url)).ask(request())
    assert isinstance(answer, Answer)
    assert (answer.text, answer.finish_reason) == ("hello", "length")
    assert answer.teacher == "test-teacher-0001"
    assert (answer.n_prompt_tokens, answer.n_completion_tokens) == (100, 20)
    assert (answer.n_attempts, answer.latency_s) == (1, 0.0)
    assert json.loads(answer.raw)["choices"][0]["message"]["content"] == "hello"


def test_each_draw_gets_a_seed_of_its_own() -> None:
    """A sampling seed depends on params, run, seed example and draw, and on nothing else."""
    with serving() as server:
        asked = teacher(openai_params(server.url, random_seed=7))
        other = teacher(openai_params(server.url, random_seed=8))
        for who, one in [
            (asked, request()),
            (asked, request()),
            (asked, request(draw=1)),
            (asked, request(random_seed=1)),
            (asked, request(seed_id="ex-2")),
            (other, request()),
        ]:
            who.ask(one)
        seeds = [body["seed"] for body in server.bodies]
    assert seeds[0] == seeds[1]
    assert len(set(seeds)) == 5
    assert all(0 <= seed < 2**31 for seed in seeds)


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://127.0.0.1:2/v1"},
        {"model": "other"},
        {"revision": "2"},
        {"temperature": 0.5},
        {"top_p": 0.9},
        {"max_tokens": 201},
        {"random_seed": 1},
        {"response_format": "json_object"},
        {"response_format": "json_schema"},
        {"extra_body": {"min_p": 0.1}},
    ],
    ids=lambda changes: "-".join(f"{k}" for k in changes),
)
def test_changing_a_field_changes_the_identity(changes: dict[str, Any]) -> None:
    """Everything in the section but the key's name determines the answer."""
    one, other = teacher(openai_params()), teacher(openai_params(**changes))
    assert one.identify(request()) != other.identify(request())


def test_key_is_sent_and_is_in_no_identity() -> None:
    """Who pays does not tell requests apart, and the key stands nowhere but in the header."""
    with serving() as server:
        keyed = teacher(openai_params(server.url, api_key_env="A"), api_key=KEY + "\n")
        plain = teacher(openai_params(server.url))
        assert keyed.identify(request()) == plain.identify(request())
        assert KEY not in canonical_json(keyed.identify(request()))
        keyed.ask(request())
        assert server.authorizations == [f"Bearer {KEY}"]


def test_missing_key_is_named_before_anything_is_sent() -> None:
    """Without the variable that the params name nothing is sent."""
    with serving() as server:
        with pytest.raises(TeacherStoppedError, match="MY_TEACHER_KEY"):
            teacher(openai_params(server.url, api_key_env="MY_TEACHER_KEY")).ask(request())
        assert server.received == []


def test_impossible_key_is_not_shown() -> None:
    """A key that no header can carry is reported by its variable."""
    params = openai_params(api_key_env="MY_TEACHER_KEY")
    with pytest.raises(TeacherStoppedError) as raised:
        teacher(params, api_key="sk-pass\u00e9").ask(request())
    assert "MY_TEACHER_KEY" in str(raised.value)
    assert "sk-pass" not in str(raised.value)


@pytest.mark.parametrize("status", [400, 401, 500])
def test_key_that_the_endpoint_repeats_is_blotted_out(status: int) -> None:
    """No message and no raw answer holds the key, even where the endpoint echoes it."""
    with serving(always(lambda: error(status, f"key {KEY} is bad"))) as server:
        asked = teacher(openai_params(server.url, api_key_env="A"), api_key=KEY)
        try:
            said = str(asked.ask(request()))
        except (TeacherStoppedError, TeacherOutageError) as failure:
            said = str(failure)
    assert "*** is bad" in said
    assert KEY not in said


# ------------------------------------------------------------------------------- what goes wrong


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_passing_trouble_is_tried_again(status: int) -> None:
    """Busy, slow and broken endpoints get another try, after a wait."""
    sleeps: list[float] = []
    with serving(in_turn(error(status, "later"), error(status, "later"))) as server:
        answer = teacher(openai_params(server.url), sleeps=sleeps).ask(request())
        assert len(server.received) == 3
    assert isinstance(answer, Answer)
    assert answer.n_attempts == 3
    assert 0 <= sleeps[0] <= 1
    assert 0 <= sleeps[1] <= 2


def test_retry_after_is_honored() -> None:
    """No try comes sooner than the endpoint asked, in seconds or as a date."""
    sleeps: list[float] = []
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(NOW + 31))
    script = in_turn(
        error(429, "busy", Retry_After="7"),
        error(503, "busy", Retry_After=date),
    )
    with serving(script) as server:
        teacher(openai_params(server.url), sleeps=sleeps).ask(request())
    assert 7 <= sleeps[0] <= 8
    assert 31 <= sleeps[1] <= 33


def test_a_wait_beyond_reason_is_an_outage_at_once() -> None:
    """An endpoint that wants an hour ends the request, and the message says so."""
    with serving(always(lambda: error(429, "busy", Retry_After="3600"))) as server:
        with pytest.raises(TeacherOutageError, match="left alone for 3600 s"):
            teacher(openai_params(server.url)).ask(request())
        assert len(server.received) == 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-3", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
    ],
)
def test_odd_retry_after_is_ignored(value: str | None, seconds: float | None) -> None:
    """What is no time to come counts as not said."""
    assert read_retry_after(value, NOW) == seconds


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (error(401, "bad key"), "none was sent, as `teacher_batch.openai.api_key_env` is null"),
        (error(402, "pay"), "payment is due"),
        (error(403, "no"), "access was refused"),
        (error(404, "no such model"), "no such address or model"),
        (error(429, "used up", "insufficient_quota"), "no credit"),
        (error(400, "limit", "billing_hard_limit_reached"), "no credit"),
    ],
    ids=["401", "402", "403", "404", "429 quota", "400 billing"],
)
def test_what_no_waiting_mends_stops_at_once(reply: Reply, said: str) -> None:
    """Refused keys, used-up quotas and wrong addresses are not tried again."""
    sleeps: list[float] = []
    with serving(always(lambda: reply)) as server:
        with pytest.raises(TeacherStoppedError, match=said):
            teacher(openai_params(server.url), sleeps=sleeps).ask(request())
        assert len(server.received) == 1
    assert sleeps == []


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (error(400, "too long"), "bad request (400: "),
        (error(413, "too large"), "bad request (413: "),
        (error(422, "odd"), "bad request (422: "),
        (error(400, "unsafe", "content_filter"), "content policy (400: "),
        (error(400, "unsafe", "content_policy_violation"), "content policy (400: "),
        (completion(None, "content_filter"), "content policy"),
        (completion(None, refusal="I cannot help"), "declined: I cannot help"),
    ],
    ids=["400", "413", "422", "filter", "policy", "filtered answer", "declined"],
)
def test_what_would_fail_again_is_a_refusal(reply: Reply, reason: str) -> None:
    """Bad requests and content policy become one row each, with the reason, after one try."""
    with serving(always(lambda: reply)) as server:
        refusal = teacher(openai_params(server.url)).ask(request())
        assert len(server.received) == 1
    assert isinstance(refusal, Refusal)
    assert refusal.reason.startswith(reason)
    if reply.status == 200:
        assert (refusal.n_prompt_tokens, refusal.n_completion_tokens) == (100, 20)
        assert refusal.raw


GZIP_GARBAGE = Reply(body=b"not gzip", headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(body=b""), "not JSON"),
        (Reply(body=b'{"choices": ['), "not JSON"),
        (Reply(body=b"[1]"), "no JSON object"),
        (Reply(body=b"{}"), "no choice"),
        (Reply(body=b'{"choices": []}'), "no choice"),
        (Reply(body=b'{"choices": [{"message": null}]}'), "no choice"),
        (Reply(body=b'{"choices": [{"message": {"content": [1]}}]}'), "content is not text"),
        (Reply(body=b"[" * 100_000), "not JSON"),
        (GZIP_GARBAGE, "connection failed"),
        (Reply(hang_up=True), "connection failed"),
    ],
    ids=["empty", "half", "list", "object", "none", "null", "parts", "deep", "gzip", "hang up"],
)
def test_garbage_is_an_outage_after_all_tries(reply: Reply, said: str) -> None:
    """What is no chat completion is tried again, and never taken for an answer."""
    with serving(always(lambda: reply)) as server:
        with pytest.raises(TeacherOutageError, match=said):
            teacher(openai_params(server.url)).ask(request())
        assert len(server.received) == 3


def test_refused_connection_is_an_outage() -> None:
    """A server that is not there is named by its address."""
    url = refusing_url()
    with pytest.raises(TeacherOutageError, match=f"{url} gave no answer in 3 tries"):
        teacher(openai_params(url)).ask(request())


def test_hanging_server_is_an_outage() -> None:
    """A server that never answers is given up after the time-out, as often as tries are allowed."""
    held = threading.Event()
    with serving(always(lambda: Reply(hold=held))) as server:
        with pytest.raises(TeacherOutageError, match="no answer in time"):
            teacher(openai_params(server.url), timeout_s=0.1).ask(request())
        assert len(server.received) == 3
        held.set()


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (completion_body(""), ""),
        (completion_body(None, "length"), ""),
        (completion_body("caf\u00e9 \U0001f600"), "caf\u00e9 \U0001f600"),
        (completion_body("half \ud83d pair"), "half ? pair"),
        (
            b'{"choices": [{"message": {"content": "bare"}}], "usage": {"prompt_tokens": "9"}}',
            "bare",
        ),
    ],
    ids=["empty", "null, cut", "unicode", "surrogate", "no usage"],
)
def test_odd_answers_are_answers(body: bytes, text: str) -> None:
    """Empty, cut and sparsely described answers are kept; numbers that are none become null."""
    reply = Reply(body=body, headers={"Content-Type": "text/plain"})
    with serving(always(lambda: reply)) as server:
        answer = teacher(openai_params(server.url)).ask(request())
    assert isinstance(answer, Answer)
    assert answer.text == text
    if text == "bare":
        assert (answer.teacher, answer.n_prompt_tokens) == (None, None)


def test_stop_ends_the_tries() -> None:
    """Once the run is to stop, a failing request is not tried again."""
    stop = threading.Event()

    def script(_body: dict[str, Any], _number: int) -> Reply:
        stop.set()
        return error(500, "down")

    with serving(script) as server:
        with pytest.raises(TeacherOutageError):
            teacher(openai_params(server.url), stop=stop).ask(request())
        assert len(server.received) == 1


def test_no_more_than_the_limit_at_once() -> None:
    """Threads beyond the limit wait for a place."""
    with serving(always(lambda: Reply(delay_s=0.02))) as server:
        asked = teacher(openai_params(server.url), concurrency=3)
        threads = [threading.Thread(target=asked.ask, args=(request(draw=n),)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.wait_idle()
        assert len(server.answered) == 12
        assert 1 <= server.most_in_flight <= 3


# -------------------------------------------------------------------------------- its small parts


def test_limit_halves_once_per_burst_and_recovers() -> None:
    """Complaints of one burst count once; as many successes as places raise the limit by one."""
    limit = AdaptiveLimit(8)
    tickets = [limit.enter() for _ in range(8)]
    for ticket in tickets:
        limit.leave(ticket, complained=True, succeeded=False)
    assert limit.limit == 4
    for _ in range(5):
        limit.leave(limit.enter(), complained=False, succeeded=True)
    assert limit.limit == 5
    for _ in range(10):
        limit.leave(limit.enter(), complained=True, succeeded=False)
    assert limit.limit == 1
    for _ in range(100):
        limit.leave(limit.enter(), complained=False, succeeded=True)
    assert limit.limit == 8


def test_back_off_doubles_up_to_a_minute() -> None:
    """The longest possible waits are 1, 2, 4 ... 60 seconds."""
    sleeps: list[float] = []
    policy = retrying(max_attempts=9, sleep=sleeps.append, stop=threading.Event(), jitter=lambda: 1)

    def fail() -> None:
        raise RetriableError("down")

    with pytest.raises(RetriableError):
        policy(fail)
    assert sleeps == [1, 2, 4, 8, 16, 32, 60, 60]


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "127.0.0.1:8000"},
        {"base_url": "https://me:secret@example.org/v1"},
        {"base_url": "https://example.org/v1?api-key=secret"},
        {"api_key_env": "sk-not-a-variable"},
        {"extra_body": {"messages": []}},
        {"extra_body": {"stream": True}},
        {"model": ""},
    ],
    ids=["scheme", "password", "query", "key itself", "messages", "stream", "model"],
)
def test_params_that_cannot_hold_are_refused(changes: dict[str, Any]) -> None:
    """Secrets in the address and second ways to say something are refused before any work."""
    with pytest.raises(ValidationError):
        openai_params(**changes)


def test_max_cost_needs_prices() -> None:
    """A cost limit without prices could not be kept, so params do not hold."""
    with pytest.raises(ValidationError, match="both prices"):
        runtime(max_cost=1.0)


def test_json_is_not_asked_for_where_text_is_read(tmp_path: Path) -> None:
    """A task that reads plain text and an endpoint told to write JSON contradict each other."""
    text = ResponseFormat(kind="text", input="q", target=None, pattern="(?P<q>.+)")
    params = teacher_batch(openai=openai_params(response_format="json_object"))
    with pytest.raises(ParamsError, match="expected none"):
        make_sender(params, runtime(), text, Ledger(tmp_path), edge())


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests go through the proxy that the variables name, unless they except the host."""
    for name in ("http_proxy", "HTTP_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving() as server:
        monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
        params = openai_params("http://teacher.invalid/v1")
        assert isinstance(teacher(params).ask(request()), Answer)
        assert len(server.bodies) == 1
        monkeypatch.setenv("no_proxy", "teacher.invalid")
        with pytest.raises(TeacherOutageError, match="connection failed"):
            teacher(params).ask(request())
        assert len(server.bodies) == 1
