"""What openai-batch does when paid answers are not where they should be: it asks before it pays."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batch_server import (
    BatchServer,
    Call,
    End,
    Hook,
    Job,
    all_answered,
    answer_line,
    error_line,
    failure_line,
    serving_batches,
)
from batch_world import World
from teacher_server import Reply, completion_body, error

from llm2llm.teacher.openai_batch import asking

N = 20


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
    assert world.spent().n_requests == n


def failing(kind: str, reply: Reply, n_times: int = 99) -> Hook:
    """Let the first calls of a kind fail."""
    n = 0

    def before(call: Call) -> Reply | None:
        nonlocal n
        n += call.kind == kind
        return reply if call.kind == kind and n <= n_times else None

    return before


NOT_THERE = error(404, "no such thing")


# ---------------------------------------------------------------------------------------- budget


@pytest.mark.parametrize("limits", [{"max_requests": 4}, {"max_tokens": 1_500}])
def test_what_the_first_look_collects_counts_in_the_budget(
    server: BatchServer, world: World, limits: dict[str, Any]
) -> None:
    """A restarted run whose batch is done at once keeps the limit all the same."""
    usage = {"usage": {"prompt_tokens": 400, "completion_tokens": 200}}
    body = json.loads(completion_body("x")) | usage
    server.finish = lambda job: End(output=[answer_line(name, body=body) for name in job.names])
    server.n_looks = 1
    world.limits = limits
    n_first = {"max_requests": 3}.get(next(iter(limits)), N)
    first = world.changed(wait=False).run(n_first, first=100)
    assert first.failure is not None and server.calls["create"] == 1
    run = world.run(N)
    assert "raise it" in str(run.failure)
    spent = world.spent()
    assert spent.n_requests == sum(server.submitted.values()) > 0
    assert spent.n_requests <= limits.get("max_requests", 10**9)
    assert spent.n_prompt_tokens + spent.n_completion_tokens <= limits.get("max_tokens", 10**9)


# -------------------------------------------------------------------------------- half surrogates


@pytest.mark.parametrize(
    "line",
    [
        lambda name: failure_line(name, 400, "bad \ud83d"),
        lambda name: failure_line(name, 400, "bad", "code \ud83d"),
        lambda name: error_line(name, "content_filter", "bad \ud83d"),
        lambda name: answer_line(name, status_code=400, body="bad \ud83d"),
    ],
)
def test_half_a_surrogate_pair_in_a_line_is_replaced(
    server: BatchServer, world: World, line: Any
) -> None:
    """The failed row says `?` in its place, the other answers are kept."""
    server.finish = lambda job: End(
        output=[answer_line(name) for name in job.names[1:]],
        errors=[line(job.names[0]), error_line("\ud83d", "content_filter")],
    )
    run = world.run(3)
    complete(world, run, 3)
    (failed,) = (entry for entry in run.entries.values() if entry.status == "failed")
    assert failed.failure is not None and "?" in failed.failure


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ({"data": [{"code": "token_limit_exceeded", "message": "full \ud83d"}]}, "full ?"),
        ({"data": [{"code": "odd \ud83d", "message": "all"}]}, "odd ?: all"),
        ("text \ud83d", "text ?"),
    ],
)
def test_half_a_surrogate_pair_in_a_description_is_replaced(
    server: BatchServer, world: World, errors: Any, said: str
) -> None:
    """Why a batch failed, in a list or as text, is said as far as it is text."""
    server.finish = lambda _job: End("failed", changes={"errors": errors})
    for _ in range(2):
        assert said in str(world.run(3).failure)


# ------------------------------------------------------------------------------------ torn files


def whole_lines(n: int) -> Any:
    """Leave so many lines of a file."""
    return lambda content: b"".join(content.splitlines(keepends=True)[:n])


@pytest.mark.parametrize(
    "tear",
    [lambda content: content[: len(content) // 2], whole_lines(7), lambda content: content[:-40]],
    ids=["half", "at a line's end", "last line"],
)
def test_a_file_that_ends_too_soon_is_fetched_again(
    server: BatchServer, world: World, tear: Any
) -> None:
    """A connection that closes early says nothing of a file's length; the counts do."""
    server.n_torn, server.tear = 2, tear
    complete(world, world.run(N), N)
    assert set(server.submitted.values()) == {1}
    assert server.calls["fetch"] == 3


def test_a_file_that_stays_short_is_taken_and_what_misses_is_not_paid_again(
    server: BatchServer, world: World
) -> None:
    """The stage stops with batch, counts and the way on; a later run finds the rest."""
    server.n_torn, server.tear = 3, whole_lines(7)
    run = world.run(N)
    said = str(run.failure)
    assert "batch batch_0" in said and "13 of its 20 requests" in said
    assert "has 7 lines, the batch counts 20" in said
    assert "`dvc repro`" in said and "`runtime.pay_again: true`" in said
    assert server.calls["fetch"] == 3 and world.spent().n_requests == 7
    complete(world, world.run(N), N)
    assert set(server.submitted.values()) == {1}


def test_with_pay_again_only_what_misses_is_submitted_again(
    server: BatchServer, world: World
) -> None:
    """What the short file held is kept; the others go into a further batch."""
    server.n_torn, server.tear = 3, whole_lines(7)
    world.pay_again = True
    complete(world, world.run(N), N)
    assert [len(job.lines) for job in server.jobs.values()] == [N, 13]


def test_a_torn_error_file_frees_no_request(server: BatchServer, world: World) -> None:
    """Lines that miss in the error file are missing, too."""
    server.finish = lambda job: End(
        output=[answer_line(name) for name in job.names[:5]],
        errors=[failure_line(name, 400, "bad") for name in job.names[5:]],
    )
    fetched: list[int] = []
    # The error file is fetched first.
    server.n_torn, server.tear = 3, lambda content: fetched.append(1) or content[:-30]
    run = world.run(N)
    assert "ends within a line" in str(run.failure) and len(fetched) == 3
    complete(world, world.run(N), N)
    assert set(server.submitted.values()) == {1}


def test_a_finished_batch_without_its_output_file_is_not_paid_again(
    server: BatchServer, world: World
) -> None:
    """Answers that the provider counts and does not show are waited for."""

    def finish(job: Job) -> End:
        end = all_answered(job)
        end.changes = {"output_file_id": None}
        return end

    server.finish = finish
    run = world.run(3)
    assert "no output file is named, the batch counts 3 lines" in str(run.failure)
    assert server.calls["create"] == 1


def test_counts_that_are_too_high_do_not_hold_a_batch_that_names_all(
    server: BatchServer, world: World
) -> None:
    """Where every request has its line the provider's counts are no matter."""

    def finish(job: Job) -> End:
        return End(
            output=[answer_line(name) for name in job.names[1:]],
            errors=[failure_line(job.names[0], 400, "bad")],
            changes={"request_counts": {"total": 4, "completed": 4, "failed": 1}},
        )

    server.finish = finish
    complete(world, world.run(4), 4)
    assert server.calls["create"] == 1


def test_what_an_expired_batch_left_undone_needs_no_line(server: BatchServer, world: World) -> None:
    """Requests that count as failed in an expired batch go again without a question."""
    n = 0

    def finish(job: Job) -> End:
        nonlocal n
        n += 1
        if n > 1:
            return all_answered(job)
        counts = {"total": 5, "completed": 2, "failed": 3}
        some = [answer_line(name) for name in job.names[:2]]
        return End("expired", some, changes={"request_counts": counts})

    server.finish = finish
    complete(world, world.run(5), 5)
    assert [len(job.lines) for job in server.jobs.values()] == [5, 3]


@pytest.mark.parametrize("n", [1, 3])
def test_a_byte_order_mark_costs_no_line(server: BatchServer, world: World, n: int) -> None:
    """A file that begins with one is read from its first line on."""

    def finish(job: Job) -> End:
        first, *rest = (answer_line(name) for name in job.names)
        return End(output=[b"\xef\xbb\xbf" + first, *rest])

    server.finish = finish
    complete(world, world.run(n), n)
    assert (server.calls["create"], server.calls["fetch"]) == (1, 1)


# ---------------------------------------------------------------------------------------- 404


@pytest.mark.parametrize("kind", ["look", "fetch"])
def test_a_404_that_passes_costs_nothing(server: BatchServer, world: World, kind: str) -> None:
    """A proxy's moment without its provider is tried again like any other failure."""
    server.before = failing(kind, NOT_THERE, 2)
    complete(world, world.run(3), 3)
    assert set(server.submitted.values()) == {1}


def test_a_batch_that_the_provider_does_not_know_is_not_paid_again(
    server: BatchServer, world: World
) -> None:
    """With the key of another project the stage stops; with the right one it goes on."""
    world.changed(wait=False).run(3)
    server.before = failing("look", NOT_THERE)
    looks = server.calls["look"]
    run = world.run(5)
    said = str(run.failure)
    assert "does not know batch batch_0 (404), whose 3 requests" in said
    assert "the key may be that of another project" in said
    assert "`dvc repro`" in said and "`runtime.pay_again: true`" in said
    assert server.calls["look"] == looks + 3 and server.calls["create"] == 1
    server.before = lambda _call: None
    complete(world, world.run(5), 5)
    assert set(server.submitted.values()) == {1}


def test_with_pay_again_a_forgotten_batch_is_submitted_again(
    server: BatchServer, world: World
) -> None:
    """Whoever says so pays again for what the provider no longer knows."""
    world.changed(wait=False).run(3)
    server.jobs.clear()
    run = world.changed(pay_again=True).run(3)
    complete(world, run, 3)
    assert any("no longer knows batch batch_0: 3 requests" in line for line in run.said)
    assert set(server.submitted.values()) == {2}


def test_a_lost_batch_leaves_the_others_to_be_collected(server: BatchServer, world: World) -> None:
    """One that cannot be collected holds up neither other batches nor runs that need none of it."""
    world.params = {"max_requests_per_batch": 2}
    world.changed(wait=False).run(4)
    del server.jobs["batch_0"]
    server.n_looks = 3
    run = world.run(4)
    assert "batch_0" in str(run.failure) and sorted(run.entries) == [2, 3]
    others = world.run(2, first=10)
    assert others.failure is None and sorted(others.entries) == [10, 11]
    assert any("does not know batch batch_0" in line for line in others.said)
    assert set(server.submitted.values()) == {1}


def test_a_lost_batch_that_fills_the_queue_is_no_endless_wait(
    server: BatchServer, world: World
) -> None:
    """Where its tokens leave no room for others the stage says which batch it is."""
    world.params = {"max_enqueued_tokens": 700}
    world.changed(wait=False).run(2, first=10)
    server.jobs.clear()
    run = world.run(2)
    assert "does not know batch batch_0" in str(run.failure) and not run.entries


@pytest.mark.parametrize("pay_again", [False, True])
def test_an_output_file_that_is_gone(server: BatchServer, world: World, pay_again: bool) -> None:
    """The error file is taken; the rest goes again only where that was said."""
    server.finish = lambda job: End(
        output=[answer_line(name) for name in job.names[1:]],
        errors=[failure_line(job.names[0], 400, "bad")],
    )
    # The error file is the first call, the tries for the output file are those after it.
    server.before = lambda call: (
        NOT_THERE if call.kind == "fetch" and call.number in (2, 3, 4) else None
    )
    world.pay_again = pay_again
    run = world.run(3)
    assert any("file-1 is gone (404)" in line for line in run.said)
    if pay_again:
        complete(world, run, 3)
        assert [len(job.lines) for job in server.jobs.values()] == [3, 2]
        return
    assert "2 of its 3 requests" in str(run.failure) and "gone" in str(run.failure)
    assert world.spent().n_requests == 1
    complete(world, world.run(3), 3)
    assert set(server.submitted.values()) == {1}


# ------------------------------------------------------------------------- reasons, words, lists


def test_requests_given_up_after_validation_name_its_reason(
    server: BatchServer, world: World
) -> None:
    """The failure says what the provider said of the batch."""
    problem = {"code": "token_limit_exceeded", "line": None, "message": "Limit of 2,000,000"}
    server.finish = lambda _job: End(status="failed", problems=[problem])
    run = world.run(3)
    assert "in 3 submissions" in str(run.failure)
    assert "token_limit_exceeded: Limit of 2,000,000" in str(run.failure)


@pytest.mark.parametrize("word", ["canceled", "Cancelled", "TIMED-OUT", "succeeded", "timeout"])
def test_other_spellings_of_an_end_are_an_end(server: BatchServer, world: World, word: str) -> None:
    """A batch under a word that means the same is collected."""
    server.finish = lambda job: End(word, [answer_line(name) for name in job.names])
    complete(world, world.run(2), 2)


def test_a_word_that_is_not_known_is_said_and_not_waited_for_without_end(
    server: BatchServer, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After so many looks without change the stage stops; the batch is still owed."""
    monkeypatch.setattr(asking, "_MOST_LOOKS", 4)
    server.finish = lambda _job: End("hibernated")
    run = world.run(2)
    assert any("'hibernated' is not known here" in line for line in run.said)
    assert "batch_0" in str(run.failure) and "'hibernated' in 4 looks" in str(run.failure)
    assert server.calls["look"] == 4
    (job,) = server.jobs.values()
    job.batch["status"] = "in_progress"
    server.finish = all_answered
    complete(world, world.run(2), 2)
    assert set(server.submitted.values()) == {1}


def test_known_words_are_waited_for_however_long(
    server: BatchServer, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch in progress without a change is no failure."""
    monkeypatch.setattr(asking, "_MOST_LOOKS", 4)
    server.n_looks = 12
    complete(world, world.run(2), 2)


def test_a_list_that_the_key_may_not_read_says_how_to_go_on(
    server: BatchServer, world: World
) -> None:
    """A batch that may exist is not made again unasked; with `pay_again` it is."""

    def before(call: Call) -> Reply | None:
        if call.kind == "create" and call.number == 1:
            return error(500, "oops")
        return error(403, "not allowed to list") if call.kind == "list" else None

    server.before = before
    run = world.run(2)
    assert "could not list the batches" in str(run.failure)
    for _ in range(2):
        said = str(world.run(2).failure)
        assert "may not list the batches" in said and "not allowed to list" in said
        assert "file-0" in said and "`runtime.pay_again: true`" in said
        assert not server.jobs
    complete(world, world.changed(pay_again=True).run(2), 2)
    assert set(server.submitted.values()) == {1}
