"""The openai-batch backend against a provider that misbehaves on purpose."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_server import (
    BatchServer,
    Call,
    End,
    Job,
    all_answered,
    answer_line,
    error_line,
    failure_line,
    serving_batches,
)
from batch_world import World, batch_params, request
from pydantic import ValidationError
from teacher_server import Reply, completion_body, error
from test_teacher_openai import edge, runtime, teacher_batch

from llm2llm.exceptions import ParamsError
from llm2llm.ids import canonical_json
from llm2llm.ledger.database import Entry, Ledger
from llm2llm.ledger.identity import request_id
from llm2llm.ledger.summary import summarize
from llm2llm.tasks.sections import ResponseFormat
from llm2llm.teacher.backends import make_sender
from llm2llm.teacher.entries import describe
from llm2llm.teacher.openai_batch.asking import BatchTeacher
from llm2llm.teacher.requests import Requests

KEY = "sk-marker-7b2e01"


@pytest.fixture
def server() -> Iterator[BatchServer]:
    """Run a provider that does all as documented."""
    with serving_batches() as started:
        yield started


@pytest.fixture
def world(server: BatchServer, tmp_path: Path) -> World:
    """Make a store and params for that provider."""
    return World(tmp_path, server.url)


def complete(world: World, run: Any, n: int) -> None:
    """Check that requests = answered + failed, in the run and in the ledger."""
    assert run.failure is None, run.failure
    assert sorted(run.entries) == list(range(n))
    charges = summarize(world.store).charges
    assert charges is not None and world.spent().n_requests == n + charges.n


# ------------------------------------------------------------------------------- the usual course


def test_every_request_is_answered_by_its_custom_id(server: BatchServer, world: World) -> None:
    """One batch, looked at until it is done, gives each request its own answer."""
    server.n_looks = 3
    run = world.run(5)
    complete(world, run, 5)
    for number, entry in run.entries.items():
        assert entry.text == f"answer to {world.name(number)}"
        assert (entry.backend, entry.status, entry.finish_reason) == (
            "openai-batch",
            "answered",
            "stop",
        )
        assert (entry.n_prompt_tokens, entry.n_completion_tokens) == (100, 20)
        assert entry.cost == pytest.approx((100 * 1.0 + 20 * 2.0) / 1e6)
        assert (entry.latency_s, entry.n_attempts) == (None, 1)
        assert entry.raw == completion_body(entry.text).decode()
        assert json.loads(entry.request)["seed_input"] == f"in {number}"
    assert run.pauses == [60.0, 60.0, 60.0]
    assert any("in_progress, 0 of 5 done" in line for line in run.said)
    assert server.calls["create"] == 1 and server.calls["list"] == 0


def test_the_file_is_what_the_batch_api_asks_for(server: BatchServer, world: World) -> None:
    """Each line holds custom_id, method, url and a body with the extra fields in it."""
    world.params = {"extra_body": {"reasoning_effort": "low"}, "random_seed": 3}
    complete(world, world.run(2), 2)
    (job,) = server.jobs.values()
    assert len(set(job.names)) == 2 and all(len(name) == 64 for name in job.names)
    for line in job.lines:
        assert set(line) == {"custom_id", "method", "url", "body"}
        assert (line["method"], line["url"]) == ("POST", "/v1/chat/completions")
        body = line["body"]
        assert body["reasoning_effort"] == "low" and body["max_tokens"] == 200
        assert "top_p" not in body and isinstance(body["seed"], int)
    assert job.batch["completion_window"] == "24h"
    assert len(job.batch["metadata"]["llm2llm_key"]) == 64


def test_answers_in_the_ledger_are_not_bought_again(server: BatchServer, world: World) -> None:
    """A second run submits only what is new."""
    world.run(3)
    complete(world, world.run(5), 5)
    assert [len(job.lines) for job in server.jobs.values()] == [3, 2]
    assert set(server.submitted.values()) == {1}


@pytest.mark.parametrize(
    ("params", "sizes"),
    [
        ({"max_requests_per_batch": 2}, [2, 2, 1]),
        ({"max_bytes_per_batch": 700}, [2, 2, 1]),
        ({"max_requests_per_batch": 1}, [1, 1, 1, 1, 1]),
    ],
)
def test_requests_are_split_at_the_limits(
    server: BatchServer, world: World, params: dict[str, Any], sizes: list[int]
) -> None:
    """No file holds more requests or bytes than the params allow."""
    world.params = params
    complete(world, world.run(5), 5)
    assert [len(job.lines) for job in server.jobs.values()] == sizes
    most = params.get("max_bytes_per_batch", 10**9)
    assert all(
        len(server.files[job.batch["input_file_id"]]) <= most for job in server.jobs.values()
    )


def test_a_request_beyond_the_limit_of_bytes_says_so(server: BatchServer, world: World) -> None:
    """A request that fits no file stops the stage and names the param; nothing is sent."""
    world.params = {"max_bytes_per_batch": 100}
    run = world.run(2)
    assert "max_bytes_per_batch" in str(run.failure) and "ex-0" in str(run.failure)
    assert server.calls["upload"] == 0


def test_enqueued_tokens_are_kept_below_their_limit(server: BatchServer, world: World) -> None:
    """With the limit one batch waits for the other, and the sum is never above it."""
    world.params = {"max_enqueued_tokens": 700, "max_tokens": 200}
    under_way: list[int] = []

    def before(call: Call) -> None:
        if call.kind == "create":
            open_jobs = [j for j in server.jobs.values() if j.batch["status"] == "in_progress"]
            under_way.append(sum(len(job.lines) for job in open_jobs))

    server.before = before
    complete(world, world.run(5), 5)
    assert [len(job.lines) for job in server.jobs.values()] == [2, 2, 1]
    assert under_way == [0, 0, 0]


def test_a_request_larger_than_the_enqueued_limit_goes_alone(
    server: BatchServer, world: World
) -> None:
    """The provider shall judge what no batch could hold within the limit."""
    world.params = {"max_enqueued_tokens": 10}
    complete(world, world.run(3), 3)
    assert [len(job.lines) for job in server.jobs.values()] == [1, 1, 1]


def test_without_waiting_the_stage_ends_and_a_later_run_collects(
    server: BatchServer, world: World
) -> None:
    """`wait: false` submits, fails with a sentence on `dvc repro`, and never submits twice."""
    world.wait = False
    server.n_looks = 2
    for _ in range(2):
        run = world.run(4)
        assert not run.entries and not run.pauses
        assert "4 requests are under way" in str(run.failure)
        assert "batch_0" in str(run.failure) and "`dvc repro` collects" in str(run.failure)
    complete(world, world.run(4), 4)
    assert server.calls["create"] == 1


def test_what_is_under_way_is_never_accepted_as_missing(world: World) -> None:
    """A share of accepted failures does not let paid answers go."""
    world.wait, world.accepted = False, 0.9
    assert world.run(4).failure is not None


def test_batches_of_other_requests_are_collected_whole(server: BatchServer, world: World) -> None:
    """A batch left by a run with other requests is taken too: it is paid."""
    world.changed(wait=False).run(3, first=10)
    run = world.run(2)
    assert sorted(run.entries) == [0, 1] and world.spent().n_requests == 5
    again = world.run(3, first=10)
    assert sorted(again.entries) == [10, 11, 12] and server.calls["create"] == 2


# ------------------------------------------------------------------------------------ odd outputs


def test_reordered_and_repeated_lines(server: BatchServer, world: World) -> None:
    """Lines count by custom_id, in any order; the first of two is taken, the other counted."""

    def finish(job: Job) -> End:
        lines = [answer_line(name) for name in reversed(job.names)]
        return End(output=[*lines, answer_line(job.names[0], "another"), lines[0]])

    server.finish = finish
    run = world.run(4)
    complete(world, run, 4)
    assert all(run.entries[n].text == f"answer to {world.name(n)}" for n in range(4))
    assert any("2 lines repeated a request" in line for line in run.said)


def test_a_line_break_of_unicode_does_not_cut_a_line(server: BatchServer, world: World) -> None:
    """U+2028 and U+0085 inside texts, sent and answered, stay where they are."""
    text = "one\u2028two\u0085three\r\nfour"
    world.text = text

    def finish(job: Job) -> End:
        line = answer_line(job.names[0], "MARK").replace(b"MARK", "a\u2028b\u0085c".encode())
        return End(output=[line])

    server.finish = finish
    run = world.run(1)
    complete(world, run, 1)
    assert run.entries[0].text == "a\u2028b\u0085c"
    (job,) = server.jobs.values()
    assert job.lines[0]["body"]["messages"][0]["content"] == f"{text} 0"


def test_a_name_nobody_asked_for_is_counted_and_not_taken(
    server: BatchServer, world: World
) -> None:
    """A line of an unknown custom_id leaves no row, and is said."""

    def finish(job: Job) -> End:
        strangers = [answer_line("f" * 64), answer_line("request-1"), answer_line("")]
        return End(output=[*strangers, *(answer_line(name) for name in job.names)])

    server.finish = finish
    run = world.run(2)
    complete(world, run, 2)
    assert any("3 lines named no request of this batch" in line for line in run.said)


@pytest.mark.parametrize(
    "garbage",
    [b"{cut", b"[1]", b"null", b'{"custom_id": 7}', b"\xff\xfe", b"[" * 100_000, b"{}"],
)
def test_lines_that_cannot_be_read_are_counted(
    server: BatchServer, world: World, garbage: bytes
) -> None:
    """Garbage between good lines costs nothing but a word."""

    def finish(job: Job) -> End:
        return End(output=[garbage, *(answer_line(name) for name in job.names), b"  "])

    server.finish = finish
    run = world.run(2)
    complete(world, run, 2)
    assert any("1 lines could not be read" in line for line in run.said)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (lambda name: failure_line(name, 400, "no such field"), "bad request (400: no such"),
        (
            lambda name: failure_line(name, 400, "flagged", "content_policy_violation"),
            "content policy (400: content_policy_violation: flagged)",
        ),
        (lambda name: error_line(name, "content_filter"), "content policy (500"),
        (
            lambda name: answer_line(name, body=json.loads(completion_body("x", "content_filter"))),
            "content policy (answer filtered)",
        ),
        (
            lambda name: answer_line(name, body=json.loads(completion_body(None, refusal="no"))),
            "declined: no",
        ),
    ],
)
def test_permanent_failures_are_rows(
    server: BatchServer, world: World, line: Any, reason: str
) -> None:
    """A request that would fail again becomes a failed row, beside the answered ones."""

    def finish(job: Job) -> End:
        good = [answer_line(name) for name in job.names[1:]]
        return End(output=good, errors=[line(job.names[0])])

    server.finish = finish
    run = world.run(4)
    complete(world, run, 4)
    failed = [entry for entry in run.entries.values() if entry.status == "failed"]
    assert len(failed) == 1 and (failed[0].failure or "").startswith(reason)
    assert server.calls["create"] == 1


def test_an_answer_without_usage_and_one_cut_by_its_length(
    server: BatchServer, world: World
) -> None:
    """Both are answers; the cost of the first stays unknown."""

    def finish(job: Job) -> End:
        bare = {"choices": [{"message": {"content": "hi"}, "finish_reason": "stop"}]}
        cut = json.loads(completion_body("half a", "length"))
        return End(
            output=[answer_line(job.names[0], body=bare), answer_line(job.names[1], body=cut)]
        )

    server.finish = finish
    run = world.run(2)
    complete(world, run, 2)
    assert (run.entries[0].text, run.entries[0].cost) == ("hi", None)
    assert (run.entries[1].text, run.entries[1].finish_reason) == ("half a", "length")


def test_the_answer_is_kept_byte_by_byte(server: BatchServer, world: World) -> None:
    """`raw` is the body as it stood in the line: spaces, order and number formats included."""
    body = '{ "choices" : [{"message":{"content":"x","role":"assistant"}}],"usage":{},"n":1.50e+2 }'

    def finish(job: Job) -> End:
        line = (
            f'{{"response": {{"body":{{}}, "status_code":200 ,  "body" :\t{body} }} ,'
            f'"custom_id":"{job.names[0]}"}}'
        )
        return End(output=[line.encode()])

    server.finish = finish
    run = world.run(1)
    complete(world, run, 1)
    assert run.entries[0].raw == body


# ------------------------------------------------------------------------------ submitting again


def flaky(bad: Any, n_bad: int) -> Any:
    """Let the first request of the first `n_bad` batches end in a bad line."""
    n = 0

    def finish(job: Job) -> End:
        nonlocal n
        n += 1
        if n > n_bad:
            return all_answered(job)
        good = [answer_line(name) for name in job.names[1:]]
        line = bad(job.names[0])
        return End(output=good, errors=None if line is None else [line])

    return finish


@pytest.mark.parametrize(
    "bad",
    [
        lambda name: failure_line(name, 429, "slow down"),
        lambda name: failure_line(name, 500, "oops"),
        lambda name: error_line(name, "batch_expired"),
        lambda name: answer_line(name, body={"choices": []}),
        lambda name: answer_line(name, body="not an object"),
        lambda name: json.dumps({"custom_id": name, "error": "in words"}).encode(),
        lambda _name: b"{cut",
        lambda _name: None,
    ],
)
def test_what_brought_no_answer_is_submitted_again(
    server: BatchServer, world: World, bad: Any
) -> None:
    """Only the request that is missing goes into a further batch; its tries are counted."""
    server.finish = flaky(bad, 2)
    run = world.run(3)
    complete(world, run, 3)
    assert [len(job.lines) for job in server.jobs.values()] == [3, 1, 1]
    assert sorted(entry.n_attempts for entry in run.entries.values()) == [1, 1, 3]


def test_after_as_many_submissions_as_allowed_it_is_an_outage(
    server: BatchServer, world: World
) -> None:
    """The stage fails, with what came kept; a later run submits the request afresh."""
    server.finish = flaky(lambda name: failure_line(name, 500, "oops"), 3)
    run = world.run(3)
    assert "gave no answer in 3 submissions (500: oops)" in str(run.failure)
    assert "2 of 3 requests are answered" in str(run.failure)
    assert len(run.entries) == 2 and server.calls["create"] == 3
    complete(world, world.run(3), 3)
    assert server.calls["create"] == 4


def test_an_accepted_share_of_outages_lets_the_stage_go_on(
    server: BatchServer, world: World
) -> None:
    """A request that was given up counts as an outage like any other."""
    server.finish = flaky(lambda name: failure_line(name, 500, "oops"), 99)
    world.accepted = 0.4
    run = world.run(3)
    assert run.failure is None and len(run.entries) == 2


def test_a_billed_line_without_an_answer_is_charged_once(server: BatchServer, world: World) -> None:
    """Usage of a line that cannot be used counts in the ledger's sums."""
    body = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}}
    server.finish = flaky(lambda name: answer_line(name, body=body), 1)
    complete(world, world.run(2), 2)
    assert world.spent().n_prompt_tokens == 207 and world.spent().n_completion_tokens == 45


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_what_finished_is_taken_from_a_batch_cut_short(
    server: BatchServer, world: World, status: str
) -> None:
    """A partial output counts; the rest is submitted again, once."""
    n = 0

    def finish(job: Job) -> End:
        nonlocal n
        n += 1
        if n > 1:
            return all_answered(job)
        return End(
            status=status,
            output=[answer_line(name) for name in job.names[:2]],
            errors=[error_line(name, f"batch_{status}") for name in job.names[2:3]],
        )

    server.finish = finish
    run = world.run(5)
    complete(world, run, 5)
    assert [len(job.lines) for job in server.jobs.values()] == [5, 3]
    assert any(f"is {status}: 2 answered" in line for line in run.said)


def test_a_batch_with_an_error_file_only(server: BatchServer, world: World) -> None:
    """Without an output file the errors still count: some rows, the rest again."""
    n = 0

    def finish(job: Job) -> End:
        nonlocal n
        n += 1
        if n > 1:
            return all_answered(job)
        first, second, *_ = job.names
        return End(errors=[failure_line(first, 400, "bad"), failure_line(second, 429, "busy")])

    server.finish = finish
    run = world.run(3)
    complete(world, run, 3)
    assert [entry.status for _, entry in sorted(run.entries.items())].count("failed") == 1
    assert [len(job.lines) for job in server.jobs.values()] == [3, 2]


# ------------------------------------------------------------------------------------ validation


def problem(line: int | None, code: str) -> dict[str, Any]:
    """Make an entry of a batch's errors."""
    return {"code": code, "line": line, "message": f"about {code}", "param": None}


def failing(problems: list[dict[str, Any]] | None, n_failing: int = 99) -> Any:
    """Let the first batches fail at validation."""
    n = 0

    def finish(job: Job) -> End:
        nonlocal n
        n += 1
        return End(status="failed", problems=problems) if n <= n_failing else all_answered(job)

    return finish


@pytest.mark.parametrize(
    "problems",
    [
        [problem(n, "invalid_body") for n in range(1, 5)],
        [problem(None, "model_not_found")],
        [problem(99, "invalid_body")],
        [problem(1, "invalid_body"), problem(None, "mismatched_model")],
    ],
)
def test_a_file_refused_as_a_whole_stops_the_stage(
    server: BatchServer, world: World, problems: list[dict[str, Any]]
) -> None:
    """The message names the reason; nothing is kept, so that mended params submit all again."""
    server.finish = failing(problems, 1)
    run = world.run(4)
    assert "refused a batch of 4 requests at validation" in str(run.failure)
    assert problems[0]["message"] in str(run.failure)
    assert world.spent().n_requests == 0 and server.calls["create"] == 1
    complete(world, world.run(4), 4)


def test_a_single_bad_line_becomes_a_row(server: BatchServer, world: World) -> None:
    """Where few lines are named, they are refused and the others submitted again."""
    server.finish = failing([problem(2, "invalid_body")], 1)
    run = world.run(4)
    complete(world, run, 4)
    refused = [number for number, entry in run.entries.items() if entry.status == "failed"]
    assert refused == [1]
    assert run.entries[1].failure == "bad request (line 2: invalid_body: about invalid_body)"
    assert [len(job.lines) for job in server.jobs.values()] == [4, 3]


@pytest.mark.parametrize(
    "problems", [[problem(None, "token_limit_exceeded")], None], ids=["full", "no-reason"]
)
def test_a_full_queue_is_tried_again(
    server: BatchServer, world: World, problems: list[dict[str, Any]] | None
) -> None:
    """A batch that failed for want of room goes again, up to the allowed submissions."""
    server.finish = failing(problems, 2)
    complete(world, world.run(2), 2)
    assert server.calls["create"] == 3
    server.finish = failing(problems)
    run = world.run(3, first=5)
    assert "gave no answer in 3 submissions" in str(run.failure)


def test_no_credit_stops_the_stage(server: BatchServer, world: World) -> None:
    """A spent account is not asked twice."""
    server.finish = failing([problem(None, "billing_hard_limit_reached")])
    run = world.run(2)
    assert "no credit is left" in str(run.failure) and server.calls["create"] == 1


# ---------------------------------------------------------------------------- calls that go wrong


FAULTS = {
    "503": error(503, "down"),
    "429": error(429, "busy", retry_after="7"),
    "hang-up": Reply(hang_up=True),
    "html": Reply(body=b"<html>"),
    "shapeless": Reply(body=b'{"object": "list"}'),
}
# A file may hold any object as a line; see the lines that cannot be read.
CALLS = [
    (kind, fault)
    for kind in ("upload", "create", "look", "fetch")
    for fault in FAULTS
    if (kind, fault) != ("fetch", "shapeless")
]


@pytest.mark.parametrize(("kind", "fault"), CALLS)
def test_a_call_that_fails_is_tried_again(
    server: BatchServer, world: World, kind: str, fault: str
) -> None:
    """Two failures of any call cost two waits and no second batch."""
    server.before = lambda call: FAULTS[fault] if call.kind == kind and call.number <= 2 else None
    run = world.run(3)
    complete(world, run, 3)
    assert set(server.submitted.values()) == {1}
    assert len(run.pauses) == 3


@pytest.mark.parametrize(
    "reply",
    [Reply(hang_up=True), error(500, "oops"), Reply(body=b"<html>")],
    ids=["hang-up", "500", "html"],
)
@pytest.mark.parametrize("keeps_metadata", [True, False])
def test_a_batch_made_by_a_call_that_failed_is_found(
    server: BatchServer, world: World, reply: Reply, keeps_metadata: bool
) -> None:
    """Before a second try the list is read, over all pages; by metadata, else by the file."""
    server.keeps_metadata = keeps_metadata
    world.changed(params={"max_requests_per_batch": 1}).run(5, first=50)
    n = server.calls["create"]
    server.after = lambda call: reply if call.kind == "create" and call.number == n + 1 else None
    complete(
        world.changed(store=world.store / "other"),
        world.changed(store=world.store / "other").run(3),
        3,
    )
    assert set(server.submitted.values()) == {1} and server.calls["create"] == n + 1


def test_a_file_that_breaks_off_is_fetched_again(server: BatchServer, world: World) -> None:
    """Half a file is no answer to half of the requests."""
    server.n_cut = 2
    run = world.run(20)
    complete(world, run, 20)
    assert set(server.submitted.values()) == {1} and server.calls["fetch"] == 3


def test_a_file_may_take_longer_than_a_call(server: BatchServer, world: World) -> None:
    """The time allowed for a call bounds each read of a file, not the whole of it."""
    server.drip_s = 0.1
    world.timeout_s = 0.25
    complete(world, world.run(4), 4)
    assert server.calls["fetch"] == 1


def test_a_file_that_lies_elsewhere_is_followed(server: BatchServer, world: World) -> None:
    """A redirected download is followed to where the file is."""

    def before(call: Call) -> Reply | None:
        if call.kind == "fetch" and call.number == 1:
            there = {"Location": f"{server.url}/{call.path}?signed=1"}
            return Reply(status=307, body=b"{}", headers=there)
        return None

    server.before = before
    complete(world, world.run(2), 2)
    assert server.calls["fetch"] == 2


@pytest.mark.parametrize(
    "page",
    [
        {"data": [], "has_more": True},
        {"data": None},
        {"data": [{"id": "b", "status": "completed"}], "has_more": True},
    ],
)
def test_a_list_that_makes_no_sense_ends(
    server: BatchServer, world: World, page: dict[str, Any]
) -> None:
    """A provider that repeats its first page for ever is not read for ever."""

    def before(call: Call) -> Reply | None:
        if call.kind == "create" and call.number == 1:
            return error(500, "oops")
        return Reply(body=json.dumps(page).encode()) if call.kind == "list" else None

    server.before = before
    complete(world, world.run(2), 2)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_provider_without_a_list_is_taken_at_its_word(
    server: BatchServer, world: World, status: int
) -> None:
    """Where batches cannot be listed none is found, and the batch is made again."""

    def before(call: Call) -> Reply | None:
        if call.kind == "create" and call.number == 1:
            return error(500, "oops")
        return error(status, "no list") if call.kind == "list" else None

    server.before = before
    complete(world, world.run(2), 2)


def test_a_provider_that_stays_down_while_polling_ends_the_stage(
    server: BatchServer, world: World
) -> None:
    """After the allowed tries the stage says that `dvc repro` collects; nothing is sent twice."""
    server.before = lambda call: error(503, "down") if call.kind == "look" else None
    world.accepted = 0.9
    run = world.run(3)
    assert "could not look at batch batch_0 in 3 tries" in str(run.failure)
    assert "later `dvc repro` collects" in str(run.failure)
    server.before = lambda _call: None
    complete(world, world.run(3), 3)
    assert server.calls["create"] == 1


@pytest.mark.parametrize("kind", ["upload", "create"])
@pytest.mark.parametrize("status", [400, 401, 503])
def test_a_batch_that_cannot_be_submitted_leaves_its_requests_free(
    server: BatchServer, world: World, kind: str, status: int
) -> None:
    """The stage ends with the reason, and the next run submits."""
    server.before = lambda call: error(status, "not now") if call.kind == kind else None
    run = world.run(3)
    assert "not now" in str(run.failure) and f"could not {kind}" in str(run.failure)
    assert not server.jobs
    server.before = lambda _call: None
    complete(world, world.run(3), 3)
    assert set(server.submitted.values()) == {1}


def test_what_is_under_way_is_collected_although_no_more_can_be_submitted(
    server: BatchServer, world: World
) -> None:
    """A refused second batch does not leave the first one's answers lying."""
    world.params = {"max_requests_per_batch": 2}
    server.before = lambda call: (
        error(403, "no more") if call.kind == "create" and call.number == 2 else None
    )
    run = world.run(4)
    assert "no more" in str(run.failure) and sorted(run.entries) == [0, 1]


# ---------------------------------------------------------------------------------------- budget


def test_only_what_the_budget_holds_is_submitted(server: BatchServer, world: World) -> None:
    """With room for three requests three are bought; the stage then says what to raise."""
    world.limits = {"max_requests": 3}
    run = world.run(5)
    assert sorted(run.entries) == [0, 1, 2]
    assert "`runtime.max_requests` is 3; raise it" in str(run.failure)
    assert server.calls["create"] == 1
    world.limits = {}
    complete(world, world.run(5), 5)
    assert set(server.submitted.values()) == {1}


def test_room_that_was_not_used_is_used_for_the_next_batch(
    server: BatchServer, world: World
) -> None:
    """Requests reserve their most; what they really took leaves room for others, to the end."""
    world.limits = {"max_tokens": 1_500}
    run = world.run(20)
    sizes = [len(job.lines) for job in server.jobs.values()]
    assert sizes[0] < len(run.entries) and len(sizes) > 1
    assert "`runtime.max_tokens` is 1500" in str(run.failure)
    assert world.spent().n_prompt_tokens + world.spent().n_completion_tokens <= 1_500


def test_batches_under_way_hold_room_in_a_later_run(server: BatchServer, world: World) -> None:
    """A run that finds three requests under way submits no more than the budget leaves."""
    server.n_looks = 2
    world.changed(wait=False).run(3, first=10)
    world.limits = {"max_requests": 4}
    run = world.run(3)
    assert "max_requests" in str(run.failure) and sorted(run.entries) == [0]
    assert world.spent().n_requests == 4


# ------------------------------------------------------------------------------------------- key


def test_the_key_reaches_no_file_and_no_message(server: BatchServer, world: World) -> None:
    """A provider that repeats the key everywhere gets it into no byte of the store."""
    world.params, world.api_key = {"api_key_env": "TEACHER_KEY"}, KEY
    body = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 5}, "echo": KEY}

    def finish(job: Job) -> End:
        first, second, third, *rest = job.names
        if not rest:
            return End(status="failed", problems=[problem(None, f"saw {KEY}")])
        return End(
            output=[answer_line(first, f"echo {KEY}"), answer_line(second, body=body)],
            errors=[failure_line(third, 400, f"key {KEY}"), answer_line(f"stranger {KEY}")],
        )

    server.finish = finish
    run = world.run(5)
    server.before = lambda call: error(401, f"bad key {KEY}") if call.kind == "create" else None
    second = world.run(5)
    assert server.authorizations == {f"Bearer {KEY}"}
    assert run.failure and second.failure
    shown = "\n".join([*run.said, *second.said, str(run.failure), str(second.failure)])
    assert KEY not in shown and "***" in shown
    written = [path for path in world.store.rglob("*") if path.is_file()]
    assert any(path.name == "ledger.sqlite" for path in written)
    assert all(KEY.encode() not in path.read_bytes() for path in written)
    assert b"echo ***" in b"".join(path.read_bytes() for path in written)


def test_without_its_key_the_stage_says_which_variable(server: BatchServer, world: World) -> None:
    """A missing key names the param and sends nothing."""
    world.params = {"api_key_env": "TEACHER_KEY"}
    run = world.run(1)
    assert "TEACHER_KEY" in str(run.failure)
    assert "teacher_batch.openai_batch.api_key_env" in str(run.failure)
    assert not server.calls


# -------------------------------------------------------------------------------- names and params


def test_the_backend_is_part_of_the_identity() -> None:
    """An answer bought by batch is the same request again for the same backend only."""
    identity = BatchTeacher(batch_params()).identify(request(0))
    assert identity["backend"] == "openai-batch"
    one = request_id(describe(request(0), identity))
    assert one != request_id(describe(request(0), {**identity, "backend": "openai"}))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("base_url", "http://127.0.0.1:2/v1"),
        ("model", "other"),
        ("revision", "2"),
        ("temperature", 0.5),
        ("top_p", 0.5),
        ("max_tokens", 7),
        ("random_seed", 1),
        ("extra_body", {"k": 1}),
    ],
)
def test_each_field_that_is_sent_changes_the_identity(name: str, other: Any) -> None:
    """Changing what determines an answer names other requests."""
    here = BatchTeacher(batch_params()).identity
    there = BatchTeacher(batch_params(**{name: other})).identity
    assert canonical_json(here) != canonical_json(there)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("completion_window", "48h"),
        ("max_requests_per_batch", 7),
        ("max_bytes_per_batch", 7),
        ("max_enqueued_tokens", 7),
        ("api_key_env", "OTHER"),
    ],
)
def test_how_batches_are_cut_is_no_part_of_the_identity(name: str, other: Any) -> None:
    """Other limits find the same answers in the ledger."""
    here = BatchTeacher(batch_params()).identity
    assert here == BatchTeacher(batch_params(**{name: other})).identity


@pytest.mark.parametrize(
    "changes",
    [
        {"max_requests_per_batch": 50_001},
        {"max_requests_per_batch": 0},
        {"max_bytes_per_batch": 200_000_001},
        {"max_enqueued_tokens": 0},
        {"completion_window": "tomorrow"},
        {"base_url": "http://user:pass@127.0.0.1/v1"},
        {"extra_body": {"messages": []}},
        {"unknown": 1},
    ],
)
def test_params_that_do_not_hold_are_refused(changes: dict[str, Any]) -> None:
    """Limits beyond the provider's, secrets in the address and unknown keys are errors."""
    with pytest.raises(ValidationError):
        batch_params(**changes)


def test_the_backend_is_made_from_params(server: BatchServer, tmp_path: Path) -> None:
    """`backend: openai-batch` in the sections is enough to be answered through batches."""
    section = teacher_batch(backend="openai-batch", openai_batch=batch_params(server.url))
    text = ResponseFormat(kind="text", input="text", target=None, pattern="(?P<text>.+)")
    # The batch is done when it is first looked at, after one moment's wait.
    limits = runtime(openai_batch={"poll_every_s": 0.001, "wait": True})
    sender = make_sender(section, limits, text, Ledger(tmp_path), edge())
    asked = [sender.name(request(number)) for number in range(2)]
    got: list[Entry] = []
    left = sender.send(Requests(range(2), asked.__getitem__), lambda _r, entry: got.append(entry))
    assert not left and [entry.status for entry in got] == ["answered"] * 2
    assert got[0].cost is None


def test_a_task_that_reads_text_gets_no_json(tmp_path: Path) -> None:
    """A response format that contradicts the task is refused before anything is sent."""
    section = teacher_batch(
        backend="openai-batch", openai_batch=batch_params(response_format="json_object")
    )
    text = ResponseFormat(kind="text", input="text", target=None, pattern="(?P<text>.+)")
    with pytest.raises(ParamsError, match=r"teacher_batch\.openai_batch\.response_format"):
        make_sender(section, runtime(), text, Ledger(tmp_path), edge())


def test_the_backend_needs_its_section() -> None:
    """Naming openai-batch without a section for it is an error of the params."""
    with pytest.raises(ValidationError, match="openai_batch: a section"):
        teacher_batch(backend="openai-batch")
