"""A store, a provider's URL and twenty lines of params: what the tests of openai-batch share."""

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llm2llm.exceptions import Llm2llmError
from llm2llm.ledger.database import Entry, Ledger, Spent
from llm2llm.params.runtime_openai_batch import OpenAIBatchRuntimeParams
from llm2llm.params.teacher_openai_batch import OpenAIBatchParams
from llm2llm.teacher.budget import Budget, Prices
from llm2llm.teacher.entries import Recorder
from llm2llm.teacher.openai_batch.asking import BatchAsking, BatchTeacher
from llm2llm.teacher.openai_batch.request_file import custom_id_of
from llm2llm.teacher.protocol import Message, TeacherRequest
from llm2llm.teacher.requests import Requests
from llm2llm.teacher.sending import Sender

NOW = 1_800_000_000.0


def batch_params(url: str = "http://127.0.0.1:1/v1", **changes: Any) -> OpenAIBatchParams:
    """Make the section `teacher_batch.openai_batch`."""
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
        "completion_window": "24h",
        "max_requests_per_batch": 50_000,
        "max_bytes_per_batch": 200_000_000,
        "max_enqueued_tokens": None,
    }
    return OpenAIBatchParams.model_validate(values | changes)


def request(number: int, text: str = "Where is it ?") -> TeacherRequest:
    """Make an unnamed request."""
    return TeacherRequest(
        request_id="",
        seed_id=f"ex-{number}",
        purpose="write",
        about=None,
        draw=0,
        random_seed=0,
        messages=(Message("user", f"{text} {number}"),),
        seed_input=f"in {number}",
        seed_target="LOC",
        response_schema=None,
    )


def no_sleep(_seconds: float) -> None:
    """Wait for nothing."""


@dataclass
class Run:
    """What one run of the stage left: entries by number, the failure, and what was said."""

    entries: dict[int, Entry] = field(default_factory=dict)
    failure: Llm2llmError | None = None
    said: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)


@dataclass
class World:
    """Everything a run needs; `on_pause` is told how often it was waited."""

    store: Path
    url: str
    params: dict[str, Any] = field(default_factory=dict)
    max_attempts: int = 3
    wait: bool = True
    pay_again: bool = False
    api_key: str | None = None
    limits: dict[str, Any] = field(default_factory=dict)
    on_pause: Callable[[int], None] = lambda _n: None
    accepted: float = 0.0
    timeout_s: float = 20.0
    text: str = "Where is it ?"

    def teacher(self) -> BatchTeacher:
        """Make what names the requests."""
        return BatchTeacher(batch_params(self.url, **self.params))

    def name(self, number: int) -> str:
        """Give the custom id of a request."""
        return custom_id_of(self.sender(Run()).name(request(number, self.text)).request_id)

    def sender(self, run: Run) -> Sender:
        """Make the sender, over a ledger opened anew."""
        ledger = Ledger(self.store)
        params = batch_params(self.url, **self.params)
        teacher = BatchTeacher(params)
        limits: dict[str, Any] = {
            "max_requests": None,
            "max_tokens": None,
            "max_cost": None,
            "prices": Prices(1.0, 2.0),
        }
        budget = Budget(**(limits | self.limits), spent=ledger.spent(("symbolic",)))
        stop = threading.Event()

        def pause(seconds: float) -> None:
            run.pauses.append(seconds)
            assert len(run.pauses) < 100, "waited without end"
            self.on_pause(len(run.pauses))

        asking = BatchAsking(
            teacher,
            params,
            OpenAIBatchRuntimeParams(poll_every_s=60.0, wait=self.wait),
            ledger,
            Recorder(ledger, budget.prices, lambda: NOW),
            budget=budget,
            api_key=self.api_key,
            folder=self.store / "batches",
            timeout_s=self.timeout_s,
            max_attempts=self.max_attempts,
            pay_again=self.pay_again,
            say=run.said.append,
            now=lambda: NOW,
            pause=pause,
            stop=stop,
        )
        return Sender(
            teacher,
            ledger,
            asking,
            replay=False,
            accepted_share=self.accepted,
            say=run.said.append,
            may_send=lambda _n: None,
            on_tally=lambda _tally: None,
            clock=lambda: 0.0,
        )

    def run(self, n_requests: int, first: int = 0) -> Run:
        """Ask so many requests, as the stage would."""
        run = Run()
        sender = self.sender(run)
        numbers: dict[str, int] = {}

        def make(number: int) -> TeacherRequest:
            named = sender.name(request(number, self.text))
            numbers[named.request_id] = number
            return named

        def take(asked: TeacherRequest, entry: Entry) -> None:
            number = numbers[asked.request_id]
            assert number not in run.entries, "handed over twice"
            run.entries[number] = entry

        try:
            sender.send(Requests(range(first, first + n_requests), make), take)
        except Llm2llmError as failure:
            run.failure = failure
        return run

    def spent(self) -> Spent:
        """Sum up the ledger."""
        return Ledger(self.store).spent(("symbolic",))

    def changed(self, **changes: Any) -> "World":
        """Make the same world with other settings."""
        return dataclasses.replace(self, **changes)
