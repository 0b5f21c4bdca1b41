"""Asking in groups: kept together, resumed between groups, shared with other processes."""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from test_generation import ask, example, seed_error

from llm2llm.exceptions import CountError, TeacherError
from llm2llm.ids import Json
from llm2llm.ledger.database import Ledger
from llm2llm.records.responses import Response
from llm2llm.teacher.entries import Recorder
from llm2llm.teacher.group_asking import GroupAsking
from llm2llm.teacher.protocol import Answer, Refusal, TeacherRequest, TeacherStoppedError
from llm2llm.teacher.sending import Sender


class GroupOfThree:
    """Answers three at a time; `fails_at` is the group that it fails at, `loses` what it loses."""

    group_size = 3

    def __init__(self, fails_at: int | None = None, loses: int = 0) -> None:
        self.identity: Mapping[str, Json] = {"backend": "groups"}
        self.fails_at = fails_at
        self.loses = loses
        self.groups: list[list[str]] = []

    def identify(self, _request: TeacherRequest) -> Mapping[str, Json]:
        """Give the identity."""
        return self.identity

    def ask_group(self, requests: Sequence[TeacherRequest]) -> list[Answer | Refusal]:
        """Answer all but the fourth seed, which is refused."""
        if self.fails_at == len(self.groups):
            raise TeacherStoppedError("out of memory")
        self.groups.append([request.seed_id for request in requests])
        outcomes: list[Answer | Refusal] = [
            Refusal("bad request (too long)")
            if request.seed_id == "ex-4"
            else Answer(json.dumps({"text": f"New {request.seed_id}"}), "stop", "g", 1, 1, "{}")
            for request in requests
        ]
        return outcomes[self.loses :]


def run(teacher: GroupOfThree, store: Path, n: int = 8) -> list[Response]:
    """Ask about so many errors."""
    ledger = Ledger(store)

    def make() -> Sender:
        asking = GroupAsking(
            teacher, ledger, Recorder(ledger, None, lambda: 0.0), pause=lambda _s: None
        )
        return Sender(
            teacher, ledger, asking, replay=False, accepted_share=0.0, say=lambda _t: None,
            may_send=lambda _n: None, on_tally=lambda _t: None, clock=lambda: 0.0,
        )  # fmt: skip

    return ask([seed_error(k) for k in range(n)], make, examples=[example(k) for k in range(n)])


def test_every_request_is_asked_in_one_group(tmp_path: Path) -> None:
    """Groups are full but the last, in order; a refused row takes no other with it."""
    teacher = GroupOfThree()
    rows = run(teacher, tmp_path)
    assert teacher.groups == [
        ["ex-0", "ex-1", "ex-2"],
        ["ex-3", "ex-4", "ex-5"],
        ["ex-6", "ex-7"],
    ]
    assert [row.status for row in rows].count("failed") == 1
    assert rows[4].failure == "bad request (too long)"
    assert run(teacher, tmp_path) == rows
    assert len(teacher.groups) == 3


def test_a_failure_keeps_the_groups_before(tmp_path: Path) -> None:
    """When a group fails the stage ends; the next run asks from that group on."""
    with pytest.raises(TeacherError, match=r"out of memory.* 3 of 8 .*`dvc repro` goes on"):
        run(GroupOfThree(fails_at=1), tmp_path)
    teacher = GroupOfThree()
    assert len(run(teacher, tmp_path)) == 8
    assert teacher.groups[0] == ["ex-3", "ex-4", "ex-5"]


def test_a_teacher_that_loses_rows_is_found_out(tmp_path: Path) -> None:
    """Fewer outcomes than requests stop the stage, and nothing of the group is kept."""
    with pytest.raises(CountError, match="2 outcomes for 3 requests"):
        run(GroupOfThree(loses=1), tmp_path)
    assert Ledger(tmp_path).spent([]).n_requests == 0


def test_what_another_is_asking_is_waited_for(tmp_path: Path) -> None:
    """A claimed request is left out of its group, and taken from the ledger when it is there."""
    rows = run(GroupOfThree(), tmp_path / "clean")
    ledger = Ledger(tmp_path / "shared")
    elsewhere = rows[1].request_id
    assert ledger.claim(elsewhere)
    entry = Ledger(tmp_path / "clean").get(elsewhere)
    assert entry is not None

    def finish() -> None:
        ledger.put(entry)
        ledger.release(elsewhere)

    teacher = GroupOfThree()
    threading.Timer(0.2, finish).start()
    assert run(teacher, tmp_path / "shared") == rows
    assert teacher.groups[0] == ["ex-0", "ex-2"]
    assert all("ex-1" not in group for group in teacher.groups)
