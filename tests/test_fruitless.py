"""A teacher that brings no example at all: told why, and stopped before it is paid again."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from test_generation import (
    CRITERIA,
    PROMPT,
    FunctionTeacher,
    answering,
    example,
    seed_error,
    sender,
)
from test_group_asking import GroupOfThree

from llm2llm.exceptions import TeacherError
from llm2llm.generation import Asking, ask_teacher
from llm2llm.ledger.database import Ledger
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.teacher.entries import Recorder
from llm2llm.teacher.group_asking import GroupAsking
from llm2llm.teacher.protocol import Answer, Refusal, TeacherRequest
from llm2llm.teacher.sending import Sender

N = 30


def ask(
    teacher: FunctionTeacher,
    store: Path,
    n: int = N,
    *,
    stops: bool = True,
    examples: list[Example] | None = None,
    said: list[str] | None = None,
    make: Callable[[], Sender] | None = None,
) -> list[Response]:
    """Ask about so many errors, three times each."""
    how = Asking(PROMPT, CRITERIA, 3, 0, 0, 2, stops)
    errors = [seed_error(number) for number in range(n)]
    seeds = examples or [example(number) for number in range(n)]
    make = make or (lambda: sender(teacher, store, concurrency=1))
    return list(ask_teacher(errors, seeds, how, make, (said if said is not None else []).append))


def misnamed(request: TeacherRequest) -> Answer:
    """Answer in a field that the task does not have."""
    return answering(request, json.dumps({"txt": f"A {request.seed_id}"}))


def cut_off(request: TeacherRequest) -> Answer:
    """Answer up to the length limit."""
    return replace(answering(request), finish_reason="length")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (misnamed, r"no JSON object with the field 'text', .*: '\{\"txt\": \"A ex-0\"\}'"),
        (cut_off, "the response was cut off at its length limit"),
        (lambda _request: Refusal("content policy (400: no)"), "content policy"),
    ],
)
def test_a_teacher_that_fails_every_time_is_stopped(
    tmp_path: Path, answer: Callable[[TeacherRequest], Answer | Refusal], why: str
) -> None:
    """Twenty answers are paid, once; the message has reason, request, text and the way on."""
    teacher, n_asked = FunctionTeacher(answer), []
    for _ in range(2):
        with pytest.raises(TeacherError, match=rf"none of the first 20 .*{why}") as stopped:
            ask(teacher, tmp_path)
        n_asked.append(len(teacher.asked))
    # One may be in flight when the twentieth comes.
    assert n_asked[0] in (20, 21) and n_asked[1] == n_asked[0]
    assert teacher.asked[0].request_id in str(stopped.value)
    assert "`runtime.stop_when_all_fail: false`" in str(stopped.value)
    assert len(ask(teacher, tmp_path, stops=False)) == (N if why == "content policy" else 3 * N)
    assert len({request.request_id for request in teacher.asked}) == len(teacher.asked)


def test_one_answer_that_passes_lets_the_stage_go_on(tmp_path: Path) -> None:
    """Whichever of the first twenty it is."""
    teacher = FunctionTeacher(lambda r: answering(r) if r.seed_id == "ex-19" else misnamed(r))
    said: list[str] = []
    assert len(ask(teacher, tmp_path, said=said)) == 1 + 3 * (N - 1)
    assert "brought no example: 87 x no JSON object with the field 'text'" in said
    assert said[-1].startswith("29 of 30 seeds are left without an answer that passes")


@pytest.mark.parametrize(("n", "stops"), [(9, False), (10, True)])
def test_a_small_round_says_less(tmp_path: Path, n: int, *, stops: bool) -> None:
    """Ten are enough where no example was ever kept; fewer may have been hard seeds."""
    if stops:
        with pytest.raises(TeacherError, match="none of the first 10 answers"):
            ask(FunctionTeacher(misnamed), tmp_path, n)
    said: list[str] = []
    kept = replace(example(0), example_id="new", origin="teacher")
    seeds = [*(example(number) for number in range(n)), kept]
    ask(FunctionTeacher(misnamed), tmp_path, n, examples=seeds, said=said)
    assert said[-1].startswith(f"warning: {n} of {n} seeds are left without an answer")


def test_reasons_are_counted_without_their_details(tmp_path: Path) -> None:
    """The three commonest stand in the line, each with one of its wordings."""
    reasons = ["declined: 7 is odd", "declined: no total", "content policy (x)", "declined: y"]

    def answer(request: TeacherRequest) -> Refusal:
        number = int(request.seed_id.removeprefix("ex-"))
        place = min(number, 10) // 3
        return Refusal(reasons[place].replace("7", str(number)))

    said: list[str] = []
    ask(FunctionTeacher(answer), tmp_path, 11, stops=False, said=said)
    assert (
        "brought no example: 3 x declined: 0 is odd; 3 x declined: no total;"
        " 3 x content policy (x); 2 x other reasons" in said
    )


def test_groups_are_stopped_too(tmp_path: Path) -> None:
    """What was answered together is kept, and no further group is asked."""

    class Failing(GroupOfThree):
        def ask_group(self, requests: list[TeacherRequest]) -> list[Answer | Refusal]:  # type: ignore[override]
            self.groups.append([request.seed_id for request in requests])
            return [misnamed(request) for request in requests]

    teacher, ledger = Failing(), Ledger(tmp_path)

    def make() -> Sender:
        asking = GroupAsking(
            teacher, ledger, Recorder(ledger, None, lambda: 0.0), pause=lambda _s: None
        )
        return Sender(
            teacher, ledger, asking, replay=False, accepted_share=0.5, say=lambda _t: None,
            may_send=lambda _n: None, on_tally=lambda _t: None, clock=lambda: 0.0,
        )  # fmt: skip

    for _ in range(2):
        with pytest.raises(TeacherError, match=r"none of the first 2[01] answers"):
            ask(FunctionTeacher(), tmp_path, make=make)
        assert len(teacher.groups) == 7
    assert ledger.spent([]).n_requests == 21
