"""Asking the teacher: rows in order, balanced counts, nothing sent twice, no outage a result."""

import hashlib
import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from teacher_server import Reply, completion, error, serving
from test_teacher_openai import NOW, RESPONSE, edge, openai_params, runtime, teacher_batch

from llm2llm.exceptions import CountError, DataError, Llm2llmError, ParamsError, TeacherError
from llm2llm.files import read_records, write_records
from llm2llm.generation import Asking, ask_teacher
from llm2llm.ids import Json
from llm2llm.ledger.database import Ledger, Spent
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.teacher_batch import TeacherBatchParams
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.tasks.sections import AnswerFormat, TeacherPrompt, Validity
from llm2llm.teacher.asking import ThreadedAsking
from llm2llm.teacher.backends import make_sender
from llm2llm.teacher.bought import is_listed, refuse_to_pay_again
from llm2llm.teacher.budget import Budget, Prices
from llm2llm.teacher.entries import Recorder
from llm2llm.teacher.protocol import (
    Answer,
    LostCall,
    Refusal,
    TeacherOutageError,
    TeacherRequest,
    TeacherStoppedError,
)
from llm2llm.teacher.requests import Requests
from llm2llm.teacher.sending import Sender
from llm2llm.teacher.tally import Tally
from llm2llm.teacher.workers import run_all
from llm2llm.validity import Criteria

PROMPT = TeacherPrompt(
    system="Write questions.",
    user="{{ input }} Correct class: {{ target }}"
    "{% if student_text %} not {{ student_text }}{% endif %}",
    exchange=None,
    show_student_text=True,
    show_earlier=False,
    solve="Which class? {{ input }}",
    response=RESPONSE,
)
CRITERIA = Criteria(
    RESPONSE,
    AnswerFormat(kind="text", pattern=None, labels=None),
    Validity(max_input_chars=2000, max_target_chars=100, arithmetic=False, same_answer=False),
)


def seed_error(
    number: int, *, ask: bool = True, n_requests: int = 0, text: str = "NUM"
) -> SeedError:
    """Make the error about one seed."""
    return SeedError(
        seed_id=f"ex-{number}",
        iteration=2,
        verdict="wrong",
        text=text,
        answer=text,
        n_wrong_in_a_row=1,
        ever_right=False,
        n_requests=n_requests,
        ask=ask,
    )


def example(number: int) -> Example:
    """Make one seed example."""
    nothing: dict[str, Any] = dict.fromkeys(
        [
            "iteration",
            "error",
            "checkpoint",
            "request_id",
            "prompt_sha256",
            "teacher",
            "gate_version",
        ]
    )
    return Example(
        example_id=f"ex-{number}",
        origin="seed",
        seed_id=f"ex-{number}",
        input=f"Where is {number} ?",
        target="LOC",
        **nothing,
    )


class FunctionTeacher:
    """A teacher that is a function of the request, and notes what it was asked."""

    def __init__(
        self,
        answer: Callable[[TeacherRequest], Answer | Refusal] | None = None,
        **identity: Json,
    ) -> None:
        self.identity: Mapping[str, Json] = {"backend": "function", "max_tokens": 10} | identity
        self.answer = answer or answering
        self.asked: list[TeacherRequest] = []

    def identify(self, _request: TeacherRequest) -> Mapping[str, Json]:
        """Give the identity."""
        return self.identity

    def ask(self, request: TeacherRequest, _on_lost: object = None) -> Answer | Refusal:
        """Answer by the function."""
        self.asked.append(request)
        return self.answer(request)


def answering(request: TeacherRequest, text: str | None = None) -> Answer:
    """Answer every request well, each differently."""
    new = f"A question like {request.seed_id} of draw {request.draw}"
    text = text if text is not None else json.dumps({"text": new})
    return Answer(text, "stop", "fn-1", 10, 5, json.dumps(text))


def sender(
    teacher: FunctionTeacher,
    store: Path,
    *,
    budget: Budget | None = None,
    replay: bool = False,
    concurrency: int = 1,
    accepted_share: float = 0.0,
    said: list[str] | None = None,
    may_send: Callable[[int], None] = lambda _n: None,
    on_tally: Callable[[Tally], None] = lambda _tally: None,
) -> Sender:
    """Make a sender to a function."""
    ledger = Ledger(store)
    return Sender(
        teacher,
        ledger,
        ThreadedAsking(
            teacher,
            ledger,
            Recorder(ledger, budget.prices if budget else None, lambda: NOW),
            budget=budget,
            concurrency=concurrency,
            grace_s=5.0,
            stop=threading.Event(),
        ),
        replay=replay,
        accepted_share=accepted_share,
        say=(said if said is not None else []).append,
        may_send=may_send,
        on_tally=on_tally,
        clock=time.monotonic,
    )


def ask(
    errors: list[SeedError],
    make: Callable[[], Any],
    *,
    prompt: TeacherPrompt = PROMPT,
    attempts: int = 1,
    solves: int = 0,
    random_seed: int = 0,
    examples: list[Example] | None = None,
    said: list[str] | None = None,
) -> list[Response]:
    """Ask about errors, with what most tests do not care about filled in."""
    how = Asking(prompt, CRITERIA, attempts, solves, random_seed, 2)
    examples = examples or [example(number) for number in range(50)]
    return list(ask_teacher(errors, examples, how, make, (said if said is not None else []).append))


# ------------------------------------------------------------------------------ requests and rows


def test_rows_hold_what_was_sent_and_what_came(tmp_path: Path) -> None:
    """One error gives one row with rendered messages, draw, answer, usage and template hash."""
    teacher = FunctionTeacher()
    (row,) = ask([seed_error(3, n_requests=4)], lambda: sender(teacher, tmp_path))
    assert json.loads(row.request)["messages"] == [
        {"role": "system", "content": "Write questions."},
        {"role": "user", "content": "Where is 3 ? Correct class: LOC not NUM"},
    ]
    assert (row.seed_id, row.iteration, row.draw, row.status) == ("ex-3", 2, 4, "answered")
    (request,) = teacher.asked
    assert (row.text, row.finish_reason, row.teacher) == (answering(request).text, "stop", "fn-1")
    assert (row.n_prompt_tokens, row.n_completion_tokens, row.failure) == (10, 5, None)
    assert (request.request_id, request.seed_input) == (row.request_id, "Where is 3 ?")
    other = PROMPT.model_copy(update={"user": "{{ input }} {{ target }} {{ student_text }}"})
    (changed,) = ask([seed_error(3)], lambda: sender(teacher, tmp_path), prompt=other)
    assert changed.prompt_sha256 != row.prompt_sha256


def test_students_answer_is_shown_only_where_the_task_says_so(tmp_path: Path) -> None:
    """With the switch off the template sees no student's text, and no system turn is made up."""
    prompt = PROMPT.model_copy(update={"show_student_text": False, "system": None})
    (row,) = ask([seed_error(3)], lambda: sender(FunctionTeacher(), tmp_path), prompt=prompt)
    assert json.loads(row.request)["messages"] == [
        {"role": "user", "content": "Where is 3 ? Correct class: LOC"}
    ]


def test_id_depends_on_draw_random_seed_student_text_and_teacher(tmp_path: Path) -> None:
    """Another draw, run, wrong answer or teacher is another request."""

    def make(**identity: Json) -> Callable[[], Sender]:
        return lambda: sender(FunctionTeacher(**identity), tmp_path)

    ids = [
        ask([seed_error(1)], make())[0].request_id,
        ask([seed_error(1, n_requests=1)], make())[0].request_id,
        ask([seed_error(1)], make(), random_seed=1)[0].request_id,
        ask([seed_error(1, text="HUM")], make())[0].request_id,
        ask([seed_error(1)], make(model="other"))[0].request_id,
        ask([seed_error(2)], make())[0].request_id,
    ]
    assert len(set(ids)) == 6
    assert ask([seed_error(1)], make())[0].request_id == ids[0]


def test_nothing_to_ask_makes_no_sender() -> None:
    """When no error is to be asked about the result is empty and no teacher exists."""

    def never() -> Sender:
        raise AssertionError("made a sender for nothing")

    assert ask([], never) == []
    assert ask([seed_error(1, ask=False)], never) == []


@settings(max_examples=25, deadline=None)
@given(
    numbers=st.lists(st.integers(0, 30), unique=True, min_size=1, max_size=12),
    attempts=st.integers(1, 4),
    concurrency=st.sampled_from([1, 5]),
    salt=st.integers(0, 10**6),
)
def test_rows_stand_in_order_and_counts_balance(
    tmp_path_factory: pytest.TempPathFactory,
    numbers: list[int],
    attempts: int,
    concurrency: int,
    salt: int,
) -> None:
    """Whatever is answered, refused or unreadable: rows by error, then draw, one per request."""

    def kind(request: TeacherRequest) -> int:
        return hashlib.sha256(f"{salt}{request.seed_id}{request.draw}".encode()).digest()[0] % 3

    def answer(request: TeacherRequest) -> Answer | Refusal:
        if kind(request) == 0:
            return Refusal("declined: no")
        return answering(request, "unreadable" if kind(request) == 1 else None)

    teacher = FunctionTeacher(answer)
    store = tmp_path_factory.mktemp("store")
    errors = [seed_error(number, ask=number % 5 != 0, n_requests=number % 3) for number in numbers]

    def again() -> list[Response]:
        return ask(
            errors,
            lambda: sender(teacher, store, concurrency=concurrency),
            attempts=attempts,
        )

    rows = again()
    expected: list[tuple[str, int, str]] = []
    for error_ in errors:
        for attempt in range(attempts if error_.ask else 0):
            (made,) = [
                one
                for one in teacher.asked
                if (one.seed_id, one.draw) == (error_.seed_id, error_.n_requests + attempt)
            ]
            expected.append((made.seed_id, made.draw, "answered" if kind(made) else "failed"))
            if kind(made) != 1:
                break
    assert [(row.seed_id, row.draw, row.status) for row in rows] == expected
    assert len(teacher.asked) == len(rows)
    assert again() == rows
    assert len(teacher.asked) == len(rows)


def test_refusal_is_a_row_and_is_not_asked_again(tmp_path: Path) -> None:
    """A permanent failure stands with its reason, in the ledger too."""
    teacher = FunctionTeacher(lambda _request: Refusal("content policy"))
    for _ in range(2):
        (row,) = ask([seed_error(1)], lambda: sender(teacher, tmp_path), attempts=3)
        assert (row.status, row.failure, row.text) == ("failed", "content policy", None)
    assert len(teacher.asked) == 1


def test_progress_counts_every_request(tmp_path: Path) -> None:
    """Each round's counts start with what the ledger holds and end complete."""
    steps: list[tuple[int, int]] = []
    said: list[str] = []

    def answer(request: TeacherRequest) -> Answer:
        broken = (request.seed_id, request.draw) == ("ex-2", 0)
        return answering(request, "unreadable" if broken else None)

    def note(tally: Tally) -> None:
        if (tally.n_done, tally.n_total) not in steps:
            steps.append((tally.n_done, tally.n_total))

    ask(
        [seed_error(1), seed_error(2)],
        lambda: sender(FunctionTeacher(answer), tmp_path, on_tally=note),
        attempts=2,
        said=said,
    )
    assert steps == [(0, 2), (1, 2), (2, 2), (0, 1), (1, 1)]
    assert said == [
        "attempt 2 of 2 for 1 seeds",
        "3 requests = 3 answered + 0 failed",
        "brought no example: 1 x no JSON object with the field 'text'",
    ]


def test_quote_says_what_the_ledger_holds(tmp_path: Path) -> None:
    """Before anything is sent a line tells known requests from those to send."""
    said: list[str] = []
    ask([seed_error(1)], lambda: sender(FunctionTeacher(), tmp_path))
    ask([seed_error(n) for n in (1, 2, 3)], lambda: sender(FunctionTeacher(), tmp_path, said=said))
    assert said == ["3 requests, 1 of them in the ledger, 2 to send"]


# ------------------------------------------------------------------------------- what is refused


def test_bad_template_is_named_before_anything_is_sent() -> None:
    """A misspelled variable in the task stops the stage before a teacher is made."""
    prompt = PROMPT.model_copy(update={"system": "{{ inptu }}", "user": "{{ target"})

    def never() -> Sender:
        raise AssertionError("made a sender for a bad template")

    with pytest.raises(ParamsError, match=r"`teacher\.system`.*inptu.*\n.*`teacher\.user`"):
        ask([seed_error(1)], never, prompt=prompt)


def test_errors_that_do_not_fit_the_set_are_refused(tmp_path: Path) -> None:
    """A seed that the set lacks, or that is named twice, is an error."""
    with pytest.raises(DataError, match="ex-60"):
        ask([seed_error(60)], lambda: sender(FunctionTeacher(), tmp_path))
    with pytest.raises(CountError, match="ex-1"):
        ask([seed_error(1), seed_error(1)], lambda: sender(FunctionTeacher(), tmp_path))


class _LossyAsking:
    """Gives the first request's entry for each."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    def ask_all(self, requests: Requests, settle: Any, tick: Any) -> None:  # noqa: ARG002
        """Lose all but one answer."""
        first = next(iter(requests))
        entry = Recorder(self.ledger, None, lambda: NOW).record(
            first, "{}", "function", answering(first)
        )
        self.ledger.put(entry)
        for request in requests:
            settle(request, entry)


def test_outcomes_that_are_not_the_requests_own_stop_the_stage(tmp_path: Path) -> None:
    """A way of asking that hands one request's outcome to another is found out."""
    ledger = Ledger(tmp_path)

    def make() -> Sender:
        return Sender(
            FunctionTeacher(), ledger, _LossyAsking(ledger), replay=False, accepted_share=0.0,
            say=lambda _text: None, may_send=lambda _n: None, on_tally=lambda _tally: None,
            clock=time.monotonic,
        )  # fmt: skip

    with pytest.raises(CountError, match="got the outcome of"):
        ask([seed_error(1), seed_error(2)], make)


# -------------------------------------------------------------------------------- outages, stops


def test_outage_ends_without_result_after_the_others_are_kept(tmp_path: Path) -> None:
    """One request without an answer fails the stage; the next run asks for that one alone."""
    down = {"ex-2"}

    def answer(request: TeacherRequest) -> Answer:
        if request.seed_id in down:
            raise TeacherOutageError("no answer in 3 tries")
        return answering(request)

    teacher = FunctionTeacher(answer)
    errors = [seed_error(n) for n in range(5)]
    with pytest.raises(TeacherError, match=r"no answer in 3 tries.* 4 of 5 .*1 miss"):
        ask(errors, lambda: sender(teacher, tmp_path, concurrency=2))
    assert len(teacher.asked) == 5
    down.clear()
    assert len(ask(errors, lambda: sender(teacher, tmp_path))) == 5
    assert [request.seed_id for request in teacher.asked[5:]] == ["ex-2"]


def test_dead_endpoint_is_not_tried_for_every_request(tmp_path: Path) -> None:
    """After enough requests in a row without an answer the rest is not tried."""

    def down(_request: TeacherRequest) -> Answer:
        raise TeacherOutageError("refused")

    teacher = FunctionTeacher(down)
    with pytest.raises(TeacherError, match="0 of 50"):
        ask([seed_error(n) for n in range(50)], lambda: sender(teacher, tmp_path))
    assert len(teacher.asked) == 8


def test_refused_key_stops_at_once_and_keeps_what_came(tmp_path: Path) -> None:
    """After a stop no further request is sent, and earlier answers are in the ledger."""

    def answer(request: TeacherRequest) -> Answer:
        if request.seed_id == "ex-3":
            raise TeacherStoppedError("the key was refused")
        return answering(request)

    teacher = FunctionTeacher(answer)
    with pytest.raises(TeacherError, match=r"key was refused.* 3 of 50"):
        ask([seed_error(n) for n in range(50)], lambda: sender(teacher, tmp_path))
    assert len(teacher.asked) == 4
    assert Ledger(tmp_path).spent([]).n_requests == 3


def test_a_fault_of_the_program_is_not_taken_for_an_answer(tmp_path: Path) -> None:
    """A bug in a worker ends the stage with its own traceback, and no request has an outcome."""

    def broken(_request: TeacherRequest) -> Answer:
        raise KeyError("bug")

    with pytest.raises(KeyError, match="bug"):
        ask([seed_error(1)], lambda: sender(FunctionTeacher(broken), tmp_path))
    assert Ledger(tmp_path).spent([]).n_requests == 0


def test_interruption_keeps_answers_under_way(tmp_path: Path) -> None:
    """After Ctrl-C nothing new is begun, and what was under way still reaches the ledger."""
    begun = threading.Semaphore(0)

    def slow(request: TeacherRequest) -> Answer:
        begun.release()
        time.sleep(0.1)
        return answering(request)

    teacher = FunctionTeacher(slow)

    def interrupt(_tally: Tally) -> None:
        if teacher.asked:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask(
            [seed_error(n) for n in range(40)],
            lambda: sender(teacher, tmp_path, concurrency=4, on_tally=interrupt),
        )
    assert 4 <= len(teacher.asked) <= 12
    assert Ledger(tmp_path).spent([]).n_requests == len(teacher.asked)


def test_workers_hand_over_every_outcome() -> None:
    """Results and failures of all items arrive, with no more threads than items."""
    outcomes: dict[int, object] = {}
    n_under_way: list[int] = []

    def work(item: int) -> int:
        if item % 2:
            raise Llm2llmError(str(item))
        return item * 10

    run_all(
        range(20), work, outcomes.__setitem__, n_under_way.append,
        n_threads=7, stop=threading.Event(), grace_s=1.0,
    )  # fmt: skip
    assert sorted(outcomes) == list(range(20))
    assert outcomes[4] == 40
    assert str(outcomes[5]) == "5"
    assert n_under_way[-1] == 0


# ---------------------------------------------------------------------------------------- replay


def test_replay_answers_from_the_ledger_alone(tmp_path: Path) -> None:
    """With all answers there replay gives the same rows and asks nobody."""
    errors = [seed_error(n) for n in range(3)]
    rows = ask(errors, lambda: sender(FunctionTeacher(), tmp_path))
    silent = FunctionTeacher()
    assert ask(errors, lambda: sender(silent, tmp_path, replay=True)) == rows
    assert silent.asked == []


def test_replay_names_what_is_missing(tmp_path: Path) -> None:
    """A miss in replay names request, seed and draw, and sends nothing."""
    teacher = FunctionTeacher()
    with pytest.raises(TeacherError, match=r"rq-[0-9a-f]{64} \(seed ex-7, write, draw 2\)"):
        ask([seed_error(7, n_requests=2)], lambda: sender(teacher, tmp_path, replay=True))
    assert teacher.asked == []


# ---------------------------------------------------------------------------------------- budget

PRICES = Prices(prompt=1e6, completion=1e6)  # one token, one unit of money


NOTHING_SPENT = Spent(0, 0, 0, 0)


def budget(
    max_requests: int | None = None,
    max_cost: float | None = None,
    max_tokens: int | None = None,
    spent: Spent = NOTHING_SPENT,
) -> Budget:
    """Make a budget with prices that make costs readable."""
    return Budget(
        max_requests=max_requests,
        max_tokens=max_tokens,
        max_cost=max_cost,
        prices=PRICES,
        spent=spent,
    )


@pytest.mark.parametrize("concurrency", [1, 6])
def test_max_requests_is_never_exceeded(tmp_path: Path, concurrency: int) -> None:
    """No more than the budget is sent, earlier runs included; the ledger's answers stay free."""
    teacher = FunctionTeacher()
    errors = [seed_error(n) for n in range(10)]

    def make(n_allowed: int) -> Callable[[], Sender]:
        spent = Ledger(tmp_path).spent([])
        limits = budget(max_requests=n_allowed, spent=spent)
        return lambda: sender(teacher, tmp_path, budget=limits, concurrency=concurrency)

    with pytest.raises(TeacherError, match=r"max_requests` is 4; raise it\. 4 of 10"):
        ask(errors, make(4))
    assert len(teacher.asked) == 4
    with pytest.raises(TeacherError, match="4 of 10"):
        ask(errors, make(4))
    assert len(teacher.asked) == 4
    assert len(ask(errors, make(10))) == 10
    assert len(ask(errors, make(0))) == 10
    assert len(teacher.asked) == 10


@pytest.mark.parametrize("concurrency", [1, 6])
def test_max_cost_is_never_exceeded(tmp_path: Path, concurrency: int) -> None:
    """Requests stop before the next one could cost too much; each costs 15 here."""
    teacher = FunctionTeacher()
    errors = [seed_error(n) for n in range(50)]
    one = budget(max_cost=1000.0)
    with pytest.raises(TeacherError, match="max_cost` is 1000"):
        ask(errors, lambda: sender(teacher, tmp_path, budget=one, concurrency=concurrency))
    cost = 15 * len(teacher.asked)
    # What one request may cost (its bytes, about 500, and 10 tokens) is the room left.
    assert 1000 - 700 < cost <= 1000


@pytest.mark.parametrize("limits", [{"max_requests": 1}, {"max_cost": 29.0}, {"max_tokens": 29}])
@pytest.mark.parametrize("comes", [True, False])
def test_requests_in_flight_count_at_their_most(limits: dict[str, Any], comes: bool) -> None:
    """A second request waits for the first one's end, and goes if that one cost nothing."""
    one = budget(**limits)
    outcomes: list[str] = []

    def second() -> None:
        try:
            with one.request(10, 5):
                outcomes.append("sent")
        except TeacherStoppedError:
            outcomes.append("stopped")

    thread = threading.Thread(target=second)
    with one.request(10, 5) as held:
        thread.start()
        thread.join(0.1)
        assert outcomes == []
        if comes:
            held.outcome = Answer("x", "stop", None, 10, 5, "{}")
    thread.join(30)
    assert outcomes == ["stopped" if comes else "sent"]


def test_a_call_that_was_billed_in_vain_takes_a_request(tmp_path: Path) -> None:
    """`max_requests` bounds what is sent: nothing is tried again once it is reached."""

    class Losing(FunctionTeacher):
        def ask(self, request: TeacherRequest, on_lost: Any = None) -> Answer | Refusal:
            for _ in range(9):
                self.asked.append(request)
                on_lost(LostCall("no choices", 10, 0))
            raise TeacherOutageError("no answer in 9 tries")

    teacher = Losing()
    for n_allowed, n_sent in ((2, 2), (2, 2), (3, 3)):
        limits = budget(max_requests=n_allowed, spent=Ledger(tmp_path).spent([]))
        with pytest.raises(TeacherError, match=rf"{n_allowed}; raise it\. 0 of 1"):
            ask([seed_error(1)], lambda limits=limits: sender(teacher, tmp_path, budget=limits))
        assert len(teacher.asked) == Ledger(tmp_path).spent([]).n_requests == n_sent


def test_answers_without_a_price_are_told_of_at_the_limit(tmp_path: Path) -> None:
    """What was bought before prices were set counts at today's, and the message says so."""
    spent = Spent(2, 10, 5, 0, 1.0, 10, 5)
    with pytest.raises(TeacherError, match=r"16\.0000 spent in all \(15\.0000 of it for answers"):
        limits = budget(max_cost=20.0, spent=spent)
        ask([seed_error(1)], lambda: sender(FunctionTeacher(), tmp_path, budget=limits))


def test_cost_is_in_the_ledger(tmp_path: Path) -> None:
    """Known prices and usage give a cost; without either it stays null."""
    ask([seed_error(1)], lambda: sender(FunctionTeacher(), tmp_path, budget=budget()))

    def uncounted(_request: TeacherRequest) -> Answer:
        return Answer("x", "stop", None, None, None, "{}")

    ask([seed_error(2)], lambda: sender(FunctionTeacher(uncounted), tmp_path, budget=budget()))
    with sqlite3.connect(tmp_path / "ledger.sqlite") as ledger:
        rows = ledger.execute("SELECT cost, created FROM requests ORDER BY seed_id").fetchall()
    assert rows == [
        (15.0, "2027-01-15T08:00:00.000+00:00"),
        (None, "2027-01-15T08:00:00.000+00:00"),
    ]


def test_max_cost_without_usage_or_length_limit_stops(tmp_path: Path) -> None:
    """A cost limit that cannot be kept ends the stage instead of being ignored."""

    def uncounted(_request: TeacherRequest) -> Answer:
        return Answer("x", "stop", None, None, None, "{}")

    limits = budget(max_cost=1e9)
    with pytest.raises(TeacherError, match="without a count of tokens"):
        ask(
            [seed_error(1), seed_error(2)],
            lambda: sender(FunctionTeacher(uncounted), tmp_path, budget=limits),
        )
    endless = FunctionTeacher(max_tokens=None)
    with pytest.raises(TeacherError, match="max_tokens"):
        ask([seed_error(3)], lambda: sender(endless, tmp_path, budget=budget(max_cost=1e9)))


# --------------------------------------------------------------------- bought before, by dvc.lock


def _locked_project(root: Path) -> Path:
    """Make a project whose dvc.lock lists teacher-batch@0 for its files and params."""
    (root / "stages").mkdir()
    (root / "errors.parquet").write_bytes(b"errors")
    (root / "params.yaml").write_text("random_seed: 3\nteacher_batch: {attempts: 2}\nruntime: {}\n")
    (root / "task.yaml").write_text("teacher: {user: hi, system: null}\nname: t\n")
    md5 = hashlib.md5(b"errors", usedforsecurity=False).hexdigest()
    lock = root / "stages/dvc.lock"
    lock.write_text(
        f"""
schema: '2.0'
stages:
  teacher-batch@0:
    cmd: python stages/teacher_batch.py 0
    deps:
    - {{path: errors.parquet, hash: md5, md5: {md5}, size: 6}}
    params:
      params.yaml: {{random_seed: 3, teacher_batch: {{attempts: 2}}}}
      task.yaml: {{teacher.user: hi}}
    outs:
    - {{path: responses.parquet, hash: md5, md5: 0, size: 1}}
"""
    )
    return lock


def test_listed_output_stops_a_second_purchase(tmp_path: Path) -> None:
    """For the very inputs that dvc.lock lists the stage stops and says `dvc pull`."""
    lock = _locked_project(tmp_path)
    with pytest.raises(TeacherError, match=r"7 requests .*`dvc pull`.*pay_again"):
        refuse_to_pay_again("teacher-batch@0", lock, 7)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("errors.parquet", "other errors"),
        ("params.yaml", "random_seed: 4\nteacher_batch: {attempts: 2}\n"),
        ("params.yaml", "random_seed: 3\nteacher_batch: {attempts: 3}\n"),
        ("params.yaml", "random_seed: 3\n"),
        ("task.yaml", "teacher: {user: hello}\n"),
        ("stages/dvc.lock", ""),
        ("stages/dvc.lock", "schema: '2.0'\nstages: {}\n"),
    ],
)
def test_other_inputs_are_not_bought_yet(tmp_path: Path, file: str, text: str) -> None:
    """When any listed input differs, or nothing is listed, the stage may ask."""
    lock = _locked_project(tmp_path)
    assert is_listed("teacher-batch@0", lock, tmp_path)
    assert not is_listed("teacher-batch@1", lock, tmp_path)
    (tmp_path / file).write_text(text)
    assert not is_listed("teacher-batch@0", lock, tmp_path)
    lock.unlink()
    refuse_to_pay_again("teacher-batch@0", lock, 7)


def test_only_missing_answers_of_paid_backends_are_stopped(tmp_path: Path) -> None:
    """The question comes for what the ledger lacks, and neither for free nor for agreed pay."""
    asked_for: list[int] = []
    params = teacher_batch()

    def refuse(n_missing: int) -> None:
        asked_for.append(n_missing)
        raise TeacherError("bought before")

    def make(params: TeacherBatchParams, runtime: RuntimeParams) -> Sender:
        return make_sender(params, runtime, RESPONSE, Ledger(tmp_path), edge(may_pay=refuse))

    errors = [seed_error(1), seed_error(2)]
    with pytest.raises(TeacherError, match="bought before"):
        ask(errors, lambda: make(params, runtime()))
    assert asked_for == [2]
    once = {"teacher_max_attempts": 1}
    with pytest.raises(TeacherError, match="gave no answer"):
        ask(errors, lambda: make(params, runtime(pay_again=True, **once)))
    free = params.model_copy(update={"backend": "symbolic"})
    (row, _) = ask(errors, lambda: make(free, runtime()))
    assert row.status == "failed"
    assert asked_for == [2]


# ------------------------------------------------------------------ a real server, real processes


def _ask_over_http(url: str, store: Path, n_errors: int, concurrency: int) -> list[Response]:
    params = teacher_batch(attempts=2, openai=openai_params(url, random_seed=1))
    limits = runtime(teacher_concurrency=concurrency)

    def make() -> Sender:
        return make_sender(params, limits, RESPONSE, Ledger(store), edge())

    return ask([seed_error(n) for n in range(n_errors)], make)


def test_kill_in_the_middle_sends_no_answered_request_again(tmp_path: Path) -> None:
    """SIGKILL with requests in flight, then again: every answer that came is used, not resent."""
    n_before, n_errors, concurrency = 11, 30, 4
    dead = threading.Event()
    first_run = [True]

    def script(_body: dict[str, Any], number: int) -> Reply:
        # After some answers the server holds all others until their asker is dead.
        if first_run[0] and number >= n_before:
            return Reply(hold=dead, hang_up=True)
        return Reply()

    with serving(script) as server:
        context = multiprocessing.get_context("spawn")
        child = context.Process(
            target=_ask_over_http, args=(server.url, tmp_path / "a", n_errors, concurrency)
        )
        child.start()
        ledger = Ledger(tmp_path / "a")
        patience = time.monotonic() + 60
        while ledger.spent([]).n_requests < n_before or server.n_in_flight < concurrency:
            assert time.monotonic() < patience
            time.sleep(0.01)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        first_run[0] = False
        dead.set()
        rows = _ask_over_http(server.url, tmp_path / "a", n_errors, concurrency)
        server.wait_idle()
        answered = Counter(server.answered)
        assert len(rows) == n_errors
        assert set(answered.values()) == {1}
        assert len(answered) == n_errors
        assert Counter(server.received).total() == n_errors + concurrency
        undisturbed = _ask_over_http(server.url, tmp_path / "b", n_errors, concurrency)
    assert rows == undisturbed


def test_two_processes_share_requests_in_flight(tmp_path: Path) -> None:
    """Two runs of the same work at the same time send each request once."""
    gate = threading.Event()

    def script(_body: dict[str, Any], number: int) -> Reply:
        return Reply(hold=gate) if number < 4 else Reply()

    with serving(script) as server:
        context = multiprocessing.get_context("spawn")
        child = context.Process(target=_ask_over_http, args=(server.url, tmp_path, 12, 4))
        child.start()
        patience = time.monotonic() + 60
        while server.n_in_flight < 4:
            assert time.monotonic() < patience
            time.sleep(0.01)
        threading.Timer(0.3, gate.set).start()
        rows = _ask_over_http(server.url, tmp_path, 12, 4)
        child.join(60)
        assert child.exitcode == 0
        assert len(rows) == 12
        assert sorted(Counter(server.received).values()) == [1] * 12


def test_server_going_down_is_no_result(tmp_path: Path) -> None:
    """A server that fails for a while ends the stage; the next run asks only for the rest."""
    down = [True]

    def script(_body: dict[str, Any], number: int) -> Reply:
        return (
            error(400, "never")
            if number == 0
            else error(401, "x")
            if down[0] and number > 5
            else Reply()
        )

    with serving(script) as server:
        with pytest.raises(TeacherError, match=r"none was sent.* of 12 requests are answered"):
            _ask_over_http(server.url, tmp_path, 12, 1)
        n_kept = Ledger(tmp_path).spent([]).n_requests
        assert n_kept == 6
        down[0] = False
        n_sent = len(server.received)
        rows = _ask_over_http(server.url, tmp_path, 12, 1)
        assert len(server.received) - n_sent == 12 - n_kept
    assert Counter(row.status for row in rows) == {"answered": 11, "failed": 1}


def test_an_endpoint_that_takes_no_request_is_no_result(tmp_path: Path) -> None:
    """When all requests are bad ones the params are at fault: an error, and nothing is kept."""
    wrong = [True]

    def script(_body: dict[str, Any], _number: int) -> Reply:
        return error(400, "response_format is not supported") if wrong[0] else Reply()

    with serving(script) as server:
        with pytest.raises(TeacherError, match=r"refused all 5 requests.*response_format"):
            _ask_over_http(server.url, tmp_path, 5, 2)
        wrong[0] = False
        rows = _ask_over_http(server.url, tmp_path, 5, 2)
    assert Counter(row.status for row in rows) == {"answered": 5}


# --------------------------------------------------------------------------------------- the stage

KEY = "sk-marker-77c2e1"


def _project(root: Path, url: str, **changes: Any) -> None:
    """Make a project folder with everything that teacher-batch 0 reads."""
    repository = Path(__file__).parent.parent
    params = yaml.safe_load((repository / "params.yaml").read_text())
    params["task"] = str(repository / "llm2llm/tasks/trec.yaml")
    params["teacher_batch"] |= {"backend": "openai", **changes}
    params["teacher_batch"]["openai"] |= {"base_url": url, "api_key_env": "MARKER_KEY"}
    (root / "params.yaml").write_text(yaml.safe_dump(params))
    errors = [seed_error(n, ask=n != 3) for n in range(8)]
    write_records(root / "data/iterations/0/errors.parquet", SeedError, errors)
    examples = [example(n) for n in range(8)]
    write_records(root / "data/sets/0/examples.parquet", Example, examples)


def _stage(root: Path) -> subprocess.CompletedProcess[str]:
    script = Path(__file__).parent.parent / "stages/teacher_batch.py"
    return subprocess.run(
        [sys.executable, str(script), "0"],
        cwd=root,
        env={**os.environ, "MARKER_KEY": KEY, "DVC_ROOT": str(root)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_stage_writes_responses_and_replays_them_without_the_server(tmp_path: Path) -> None:
    """The script asks a real server, asks unreadable answers again, and replays the same bytes."""
    out = tmp_path / "data/iterations/0/responses.parquet"

    def script(body: dict[str, Any], _number: int) -> Reply:
        first = server.received.count(server.received[-1]) == 1
        unreadable = "Where is 5 ?" in body["messages"][-1]["content"] and first
        return completion("no JSON") if unreadable else Reply()

    with serving(script) as server:
        _project(tmp_path, server.url)
        done = _stage(tmp_path)
        assert done.returncode == 0, done.stderr
        assert set(server.authorizations) == {f"Bearer {KEY}"}
    assert "8 requests = 8 answered + 0 failed" in done.stderr
    rows = read_records(out, Response)
    assert [(row.seed_id, row.draw) for row in rows] == [
        ("ex-0", 0), ("ex-1", 0), ("ex-2", 0), ("ex-4", 0),
        ("ex-5", 0), ("ex-5", 1), ("ex-6", 0), ("ex-7", 0),
    ]  # fmt: skip
    first = out.read_bytes()
    out.unlink()
    _project(tmp_path, server.url, replay=True)
    again = _stage(tmp_path)
    assert again.returncode == 0, again.stderr
    assert out.read_bytes() == first
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 5
    assert not [path for path in written if KEY.encode() in path.read_bytes()]


def test_stage_without_answers_leaves_no_output(tmp_path: Path) -> None:
    """A server that refuses the key gives exit code 6, one message without it, and no file."""
    with serving(lambda _body, _number: error(401, f"bad key {KEY}")) as server:
        _project(tmp_path, server.url)
        done = _stage(tmp_path)
    assert done.returncode == 6
    assert "error: " in done.stderr
    assert "key was refused" in done.stderr
    assert "Traceback" not in done.stderr
    assert KEY not in done.stderr + done.stdout
    assert not (tmp_path / "data/iterations/0/responses.parquet").exists()
