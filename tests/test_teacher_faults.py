"""A whole teacher stage against a server that misbehaves: every request ends as a row, or none do.

One of five seeds meets the fault; the others are answered. `requests = responses + failures`.
"""

import gzip
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from teacher_server import (
    Reply,
    TeacherServer,
    completion,
    completion_body,
    error,
    refusing_url,
    serving,
)
from test_generation import CRITERIA, PROMPT, example, seed_error
from test_teacher_openai import edge, openai_params, runtime, teacher_batch

from llm2llm.exceptions import TeacherError
from llm2llm.files import read_records, write_records
from llm2llm.generation import Asking, ask_teacher
from llm2llm.ledger.database import Ledger
from llm2llm.records.responses import Response
from llm2llm.teacher.backends import make_sender

N_SEEDS = 5
FAULTY = 3
HTML = Reply(body=b"<html>Bad gateway</html>", headers={"Content-Type": "text/html"})


def run(
    url: str,
    store: Path,
    *,
    timeout_s: float = 20.0,
    n_seeds: int = N_SEEDS,
    key: str | None = None,
    max_tokens: int | None = None,
    **params: Any,
) -> list[Response]:
    """Run the stage and give its rows; concurrency 2, at most 3 tries, waits of no length."""
    limits = runtime(teacher_concurrency=2, teacher_timeout_s=timeout_s, max_tokens=max_tokens)
    endpoint = openai_params(url, api_key_env="THE_KEY" if key else None)
    given = teacher_batch(attempts=3, openai=endpoint, **params)
    surroundings = edge(stop=_Impatient(), key=lambda _name: key)
    how = Asking(PROMPT, CRITERIA, 3, given.solves, 0, 2)
    out = store / "responses.parquet"
    rows = ask_teacher(
        [seed_error(n) for n in range(n_seeds)],
        [example(n) for n in range(n_seeds)],
        how,
        lambda: make_sender(given, limits, PROMPT.response, Ledger(store), surroundings),
        lambda _text: None,
    )
    write_records(out, Response, rows)
    return read_records(out, Response)


class _Impatient(threading.Event):
    """An event whose waits end at once."""

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - nobody shall wait
        """Say whether it is set."""
        return self.is_set()


def meeting(reply: Callable[[], Reply], n_times: int | None = None) -> Callable[..., Reply]:
    """Reply so to the faulty seed, the first `n_times` or always; answer the others."""
    met = [0]

    def script(body: dict[str, Any], _number: int) -> Reply:
        if f"Where is {FAULTY} ?" not in body["messages"][-1]["content"]:
            return Reply()
        met[0] += 1
        return reply() if n_times is None or met[0] <= n_times else Reply()

    return script


def tries(server: TeacherServer) -> int:
    """Count the requests about the faulty seed."""
    texts = [body["messages"][-1]["content"] for body in server.bodies]
    return sum(f"Where is {FAULTY} ?" in text for text in texts)


RETRIED: dict[str, Callable[[], Reply]] = {
    **{
        str(status): (lambda status=status: error(status, "trouble"))
        for status in (408, 409, 425, 429, 500, 502, 503, 504)
    },
    "429 with Retry-After": lambda: error(429, "slow down", Retry_After="2"),
    "429 with a date": lambda: error(429, "slow down", Retry_After="Fri, 15 Jan 2027 08:00:01 GMT"),
    "429 with nonsense": lambda: error(429, "slow down", Retry_After="soon"),
    "closed": lambda: Reply(hang_up=True),
    "reset in the body": lambda: Reply(reset_after=40),
    "slow drip": lambda: Reply(drip_s=0.02),
    "empty body": lambda: Reply(body=b""),
    "half JSON": lambda: Reply(body=completion_body("x")[:60]),
    "a list": lambda: Reply(body=b"[]"),
    "no choices": lambda: Reply(body=b'{"usage": {"prompt_tokens": 5, "completion_tokens": 1}}'),
    "empty choices": lambda: Reply(body=b'{"choices": []}'),
    "choices of another shape": lambda: Reply(body=b'{"choices": {"0": "x"}}'),
    "HTML with status 200": lambda: HTML,
    "gzip garbage": lambda: Reply(body=b"\x1f\x8bno", headers={"Content-Encoding": "gzip"}),
    "half gzip": lambda: Reply(
        body=gzip.compress(completion_body("x"))[:-20], headers={"Content-Encoding": "gzip"}
    ),
}


@pytest.mark.parametrize("fault", RETRIED)
def test_passing_faults_cost_nothing_but_time(fault: str, tmp_path: Path) -> None:
    """After two bad tries the third is answered: all rows answered, nobody asked but the one."""
    with serving(meeting(RETRIED[fault], 2)) as server:
        rows = run(server.url, tmp_path, timeout_s=0.3 if fault == "slow drip" else 20.0)
        assert tries(server) == 3
        assert len(server.bodies) == N_SEEDS + 2
    assert [row.status for row in rows] == ["answered"] * N_SEEDS


@pytest.mark.parametrize("fault", RETRIED)
def test_lasting_faults_are_no_result(fault: str, tmp_path: Path) -> None:
    """The stage ends with a message and no file; what was answered is not asked again."""
    timeout_s = 0.3 if fault == "slow drip" else 20.0
    with serving(meeting(RETRIED[fault])) as server:
        with pytest.raises(TeacherError, match=r"3 tries.*4 of 5 .*`dvc repro` goes on") as raised:
            run(server.url, tmp_path, timeout_s=timeout_s)
        assert tries(server) == 3
        assert not (tmp_path / "responses.parquet").exists()
        server.script = None
        before = len(server.bodies)
        rows = run(server.url, tmp_path)
        assert len(server.bodies) == before + 1
    assert len(str(raised.value)) < 1000
    assert [row.status for row in rows] == ["answered"] * N_SEEDS


REFUSED: dict[str, tuple[Callable[[], Reply], str]] = {
    "400": (lambda: error(400, "no such field"), "bad request (400: "),
    "413": (lambda: error(413, "too large"), "bad request (413"),
    "422": (lambda: error(422, "odd"), "bad request (422"),
    "content policy": (lambda: error(400, "unsafe", "content_filter"), "content policy (400"),
    "filtered answer": (lambda: completion("", "content_filter"), "content policy"),
    "declined": (lambda: completion(None, refusal="I will not"), "declined: I will not"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_permanent_failures_are_rows(fault: str, tmp_path: Path) -> None:
    """What would fail again stands with its reason, after one try, and is not asked again."""
    reply, reason = REFUSED[fault]
    with serving(meeting(reply)) as server:
        rows = run(server.url, tmp_path)
        assert tries(server) == 1
        assert run(server.url, tmp_path) == rows
        assert tries(server) == 1
    assert [row.status for row in rows].count("failed") == 1
    assert (rows[FAULTY].failure or "").startswith(reason)


UNUSABLE: dict[str, tuple[Callable[[], Reply], str]] = {
    "null content": (lambda: completion(None), ""),
    "empty text": (lambda: completion(""), ""),
    "not JSON": (lambda: completion("Sure! Here is one."), "Sure! Here is one."),
    "another shape": (lambda: completion('{"question": "q"}'), '{"question": "q"}'),
    "cut off": (
        lambda: completion('{"text": "Where is it ?"}', "length"),
        '{"text": "Where is it ?"}',
    ),
    "the seed": (
        lambda: completion(json.dumps({"text": f"Where is {FAULTY} ?"})),
        json.dumps({"text": f"Where is {FAULTY} ?"}),
    ),
}


@pytest.mark.parametrize("fault", UNUSABLE)
def test_unusable_answers_are_asked_for_again(fault: str, tmp_path: Path) -> None:
    """Each attempt is another draw and a row with its raw text; attempts are bounded."""
    reply, text = UNUSABLE[fault]
    with serving(meeting(reply, 1)) as server:
        rows = run(server.url, tmp_path / "once")
        assert tries(server) == 2
    assert (rows[FAULTY].draw, rows[FAULTY].text) == (0, text)
    assert len(rows) == N_SEEDS + 1
    with serving(meeting(reply)) as server:
        rows = run(server.url, tmp_path / "always")
        assert tries(server) == 3
    mine = [row for row in rows if row.seed_id == f"ex-{FAULTY}"]
    assert [(row.draw, row.status, row.text) for row in mine] == [
        (draw, "answered", text) for draw in range(3)
    ]


STOPPING: dict[str, tuple[Callable[[], Reply], str]] = {
    "401": (lambda: error(401, "bad key"), "wants a key and none was sent"),
    "402": (lambda: error(402, "pay"), "payment is due"),
    "403": (lambda: error(403, "no"), "access was refused"),
    "404": (lambda: error(404, "no model"), "no such address or model"),
    "405": (lambda: error(405, "no chat"), "takes no chat requests"),
    "quota": (lambda: error(429, "used up", "insufficient_quota"), "no credit"),
    "redirection": (lambda: Reply(301, b"", {"Location": "/elsewhere"}), "redirection"),
}


@pytest.mark.parametrize("fault", STOPPING)
def test_what_stops_all_stops_at_once(fault: str, tmp_path: Path) -> None:
    """No further request is begun, nothing is written, and what was answered is kept."""
    reply, said = STOPPING[fault]
    with serving(meeting(reply)) as server:
        with pytest.raises(TeacherError, match=rf"{said}.*`dvc repro` goes on"):
            run(server.url, tmp_path)
        assert tries(server) == 1
        server.script = None
        before = Ledger(tmp_path).spent([]).n_requests
        n_sent = len(server.bodies)
        assert len(run(server.url, tmp_path)) == N_SEEDS
        assert len(server.bodies) == n_sent + N_SEEDS - before


def test_hanging_and_dripping_servers_are_given_up(tmp_path: Path) -> None:
    """A server that sends nothing, or a byte now and then, holds nobody beyond the time-out."""
    held = threading.Event()
    for number, reply in enumerate([Reply(hold=held), Reply(drip_s=0.05)]):
        with serving(meeting(lambda reply=reply: reply)) as server:
            begun = time.monotonic()
            with pytest.raises(TeacherError, match="no answer in time"):
                run(server.url, tmp_path / str(number), timeout_s=0.2)
            # Three tries of 0.2 s; the dripped body alone would take 20 s.
            assert time.monotonic() - begun < 10
            held.set()


def test_an_endless_answer_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body beyond the limit is given up as a fault, whatever its length."""
    monkeypatch.setattr("llm2llm.teacher.deadline.MOST_BYTES", 100_000)
    large = completion("x" * 90_000)
    with serving(meeting(lambda: large)) as server:
        assert len(run(server.url, tmp_path / "large")[FAULTY].text or "") == 90_000
    endless = completion("x" * 200_000)
    with (
        serving(meeting(lambda: endless)) as server,
        pytest.raises(TeacherError, match="longer than 100000 bytes"),
    ):
        run(server.url, tmp_path / "endless")


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A refused connection names the address, and nothing is written."""
    url = refusing_url()
    with pytest.raises(TeacherError, match=f"{url} gave no answer.*0 of 5"):
        run(url, tmp_path)
    assert not (tmp_path / "responses.parquet").exists()


def test_a_share_of_failures_can_be_accepted_on_purpose(tmp_path: Path) -> None:
    """Within the share an outage becomes a failed row, which the ledger does not hold."""
    with serving(meeting(lambda: error(500, "down"))) as server:
        rows = run(server.url, tmp_path, accepted_failures=0.2)
        assert [row.status for row in rows].count("failed") == 1
        assert (rows[FAULTY].failure, rows[FAULTY].text) == ("no answer, accepted", None)
        assert Ledger(tmp_path).spent([]).n_requests == N_SEEDS - 1
        assert run(server.url, tmp_path, accepted_failures=0.2, replay=True) == rows
        with pytest.raises(TeacherError, match="4 of 5"):
            run(server.url, tmp_path, accepted_failures=0.19)


def test_billed_calls_without_an_answer_are_charged(tmp_path: Path) -> None:
    """A billed body that is no completion is a request more that was sent, resumed or not."""
    billed = Reply(body=b'{"usage": {"prompt_tokens": 50, "completion_tokens": 7}}')
    with serving(meeting(lambda: billed, 2)) as server:
        run(server.url, tmp_path)
        first = Ledger(tmp_path).spent([])
        run(server.url, tmp_path)
    assert first.n_requests == N_SEEDS + 2
    assert first.n_prompt_tokens == 100 * N_SEEDS + 2 * 50
    assert first.n_completion_tokens == 20 * N_SEEDS + 2 * 7
    assert Ledger(tmp_path).spent([]) == first


def test_votes_are_asked_for_and_kept(tmp_path: Path) -> None:
    """With solves each new problem is solved so often, and asked for again when it is outvoted."""

    def script(body: dict[str, Any], _number: int) -> Reply:
        text = body["messages"][-1]["content"]
        if text.startswith("Which class?"):
            assert "response_format" not in body
            return completion("HUM" if "bad" in text else "LOC")
        number = text.split()[2]
        first = f"{number} " not in seen
        seen.append(f"{number} ")
        bad = number == str(FAULTY) and first
        return completion(json.dumps({"text": f"Where lies {'bad' if bad else 'good'} {number} ?"}))

    seen: list[str] = []
    with serving(script) as server:
        rows = run(server.url, tmp_path, solves=2)
        n_sent = len(server.bodies)
        assert run(server.url, tmp_path, solves=2) == rows
        assert len(server.bodies) == n_sent == (N_SEEDS + 1) * 3
    mine = [row for row in rows if row.seed_id == f"ex-{FAULTY}"]
    assert [row.purpose for row in mine] == ["write", "solve", "solve"] * 2
    assert [row.about for row in mine[1:3]] == [mine[0].request_id] * 2
    assert [row.text for row in mine if row.purpose == "solve"] == ["HUM", "HUM", "LOC", "LOC"]
    assert len({row.request_id for row in rows}) == len(rows)


def test_the_key_is_blotted_out_of_answers_too(tmp_path: Path) -> None:
    """An endpoint that repeats the key in an answer, or cut off in an error, brings it nowhere."""
    key = "sk-marker-" + "4f1c9a" * 6

    def echo() -> Reply:
        return completion(json.dumps({"text": f"Where is {key} ?"}))

    def fill() -> Reply:
        return error(400, "x" * 470 + key)

    for number, reply in enumerate((echo, fill)):
        store = tmp_path / str(number)
        with serving(meeting(reply)) as server:
            rows = run(server.url, store, key=key)
        assert key[:12] not in repr(rows)
        assert all(key[:12].encode() not in p.read_bytes() for p in store.rglob("*") if p.is_file())
        assert "***" in repr(rows[FAULTY])


def test_half_a_surrogate_pair_costs_no_other_answer(tmp_path: Path) -> None:
    """What no database can hold is replaced in errors, and every answer beside it is kept."""
    odd = Reply(400, b'{"error": {"message": "bad \\ud83d prompt", "code": null}}')
    with serving(meeting(lambda: odd)) as server:
        rows = run(server.url, tmp_path)
    assert "bad ? prompt" in (rows[FAULTY].failure or "")
    assert Ledger(tmp_path).spent([]).n_requests == N_SEEDS


@pytest.mark.parametrize(
    "body",
    [b'{"detail": "temperature must be below 2"}', b'{"error": "temperature must be below 2"}'],
)
def test_reasons_in_other_forms_are_told(body: bytes, tmp_path: Path) -> None:
    """Servers that do not word errors as OpenAI does still say why."""
    with serving(meeting(lambda: Reply(422, body))) as server:
        rows = run(server.url, tmp_path)
    assert "temperature must be below 2" in (rows[FAULTY].failure or "")


def test_tries_billed_in_vain_count_against_the_budget(tmp_path: Path) -> None:
    """The next try of a request is sent only if it still fits, what was lost counted."""
    billed = Reply(body=b'{"usage": {"prompt_tokens": 8500, "completion_tokens": 100}}')
    with serving(meeting(lambda: billed)) as server:
        with pytest.raises(TeacherError, match=r"`runtime.max_tokens` is 9000; raise it"):
            run(server.url, tmp_path, max_tokens=9000)
        assert tries(server) == 1
    # What was billed is charged although the stage stopped.
    assert Ledger(tmp_path).spent([]).n_prompt_tokens >= 8500


def test_accepted_outages_of_one_round_do_not_end_the_next(tmp_path: Path) -> None:
    """Rounds after one that was given up are asked; the share is one over all requests."""
    unread = [True]

    def script(body: dict[str, Any], _number: int) -> Reply:
        if "Where is 0 ?" not in body["messages"][-1]["content"]:
            return error(500, "down")
        reply = completion("unreadable") if unread[0] else Reply()
        unread[0] = False
        return reply

    with serving(script) as server:
        rows = run(server.url, tmp_path, n_seeds=12, accepted_failures=0.95)
    assert [row.status for row in rows].count("failed") == 11
    assert [row.status for row in rows if row.seed_id == "ex-0"] == ["answered", "answered"]
