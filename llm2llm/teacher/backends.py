"""Make the teacher that params.yaml names, and what sends requests to it."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from llm2llm.exceptions import ParamsError
from llm2llm.ids import Json
from llm2llm.ledger.database import Ledger
from llm2llm.params.contradictions import sending_problems
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.teacher import TeacherParams
from llm2llm.tasks.sections import ResponseFormat
from llm2llm.teacher.asking import Asking, ThreadedAsking
from llm2llm.teacher.budget import Budget, Prices
from llm2llm.teacher.entries import Recorder
from llm2llm.teacher.group_asking import GroupAsking
from llm2llm.teacher.openai_chat import OpenAIChat
from llm2llm.teacher.protocol import GroupTeacher, Named, Teacher, TeacherRequest
from llm2llm.teacher.rate import RateLimit
from llm2llm.teacher.sending import Sender
from llm2llm.teacher.tally import Tally

# Backends whose answers cost nothing: no budget, and no question before asking them again.
FREE = ("symbolic", "vllm")


@dataclass(frozen=True, slots=True)
class Edge:
    """What the surroundings provide: environment, clocks, people.

    `key` reads an environment variable; `now` gives seconds since 1970, `clock` seconds that never
    go back; `say` gets a line for people, `on_tally` the counts of a round; `may_pay` is told how
    many requests the ledger lacks, and raises where they must not be paid for. `stop` ends all
    waiting once it is set; `set_default` sets an environment variable that is not set.
    """

    key: Callable[[str], str | None]
    now: Callable[[], float]
    clock: Callable[[], float]
    say: Callable[[str], None]
    on_tally: Callable[[Tally], None]
    may_pay: Callable[[int], None]
    stop: threading.Event
    set_default: Callable[[str, str], object]


def make_sender(
    params: TeacherParams,
    runtime: RuntimeParams,
    response_format: ResponseFormat | None,
    ledger: Ledger,
    edge: Edge,
) -> Sender:
    """Make the sender to the teacher that the params name; nothing is sent or loaded yet.

    `response_format` is the task's, null where it has no say, as in how a judge answers. A paid
    teacher gets the budget that `runtime` sets, and `may_pay` is asked unless `runtime.pay_again`
    is on. Raises ParamsError where params, task and teacher contradict each other.
    """
    if problems := sending_problems(params, runtime, response_format):
        raise ParamsError("\n".join(problems))
    free = params.backend in FREE
    budget = None if free else _budget(runtime, ledger)
    recorder = Recorder(ledger, budget.prices if budget else None, edge.now)
    teacher: Named
    asking: Asking
    if params.backend == "vllm":
        teacher = _vllm_teacher(params, edge.set_default)
        asking = GroupAsking(teacher, ledger, recorder, pause=edge.stop.wait)
    elif params.backend == "openai-batch":
        teacher, asking = _batches(params, runtime, ledger, recorder, budget, edge)
    else:
        teacher = (
            _symbolic_teacher(response_format)
            if params.backend == "symbolic" and response_format is not None
            else _openai_teacher(params, runtime, edge)
        )
        asking = ThreadedAsking(
            teacher,
            ledger,
            recorder,
            budget=budget,
            concurrency=runtime.teacher_concurrency,
            grace_s=runtime.teacher_timeout_s,
            stop=edge.stop,
        )
    return Sender(
        teacher,
        ledger,
        asking,
        section=params.where,
        replay=params.replay,
        accepted_share=params.accepted_share,
        say=edge.say,
        may_send=_allow if free or runtime.pay_again else edge.may_pay,
        on_tally=edge.on_tally,
        clock=edge.clock,
    )


def identify(params: TeacherParams, request: TeacherRequest) -> Mapping[str, Json]:
    """Give what the params' model adds to a request's identity; nothing is opened or loaded.

    The symbolic teacher has no say here: it is no model.
    """
    if params.backend == "vllm":
        return _vllm_teacher(params, lambda *_: None).identify(request)
    section = params.openai if params.backend == "openai" else params.openai_batch
    assert section is not None  # the section refuses that backend without it
    return OpenAIChat(section, params.backend).identify(request)


def _symbolic_teacher(response_format: ResponseFormat) -> Teacher:
    from llm2llm.teacher.symbolic import SymbolicTeacher

    return SymbolicTeacher(response_format)


def _vllm_teacher(params: TeacherParams, set_default: Callable[[str, str], object]) -> GroupTeacher:
    from llm2llm.teacher.vllm import VllmTeacher

    assert params.vllm is not None  # the section refuses that backend without it
    return VllmTeacher(params.vllm, set_default=set_default, section=params.where)


def _openai_teacher(
    params: TeacherParams,
    runtime: RuntimeParams,
    edge: Edge,
) -> Teacher:
    from llm2llm.teacher.openai import OpenAITeacher

    section = params.openai
    assert section is not None  # the section refuses that backend without it
    return OpenAITeacher(
        section,
        where=f"{params.where}.openai",
        api_key=edge.key(section.api_key_env) if section.api_key_env else None,
        timeout_s=runtime.teacher_timeout_s,
        max_attempts=runtime.teacher_max_attempts,
        concurrency=runtime.teacher_concurrency,
        rate=RateLimit(
            requests_per_minute=runtime.teacher_requests_per_minute,
            tokens_per_minute=runtime.teacher_tokens_per_minute,
            clock=edge.clock,
            sleep=edge.stop.wait,
        ),
        now=edge.now,
        sleep=edge.stop.wait,
        stop=edge.stop,
    )


def _batches(
    params: TeacherParams,
    runtime: RuntimeParams,
    ledger: Ledger,
    recorder: Recorder,
    budget: Budget | None,
    edge: Edge,
) -> tuple[Named, Asking]:
    from llm2llm.teacher.openai_batch.asking import BatchAsking, BatchTeacher

    section = params.openai_batch
    assert section is not None  # the section refuses that backend without it
    teacher = BatchTeacher(section)
    asking = BatchAsking(
        teacher,
        section,
        runtime.openai_batch,
        ledger,
        recorder,
        where=f"{params.where}.openai_batch",
        budget=budget,
        api_key=edge.key(section.api_key_env) if section.api_key_env else None,
        folder=ledger.store / "batches",
        timeout_s=runtime.teacher_timeout_s,
        max_attempts=runtime.teacher_max_attempts,
        pay_again=runtime.pay_again,
        say=edge.say,
        now=edge.now,
        pause=edge.stop.wait,
        stop=edge.stop,
    )
    return teacher, asking


def _budget(runtime: RuntimeParams, ledger: Ledger) -> Budget:
    return Budget(
        max_requests=runtime.max_requests,
        max_tokens=runtime.max_tokens,
        max_cost=runtime.max_cost,
        prices=Prices(
            runtime.price_per_million_prompt_tokens, runtime.price_per_million_completion_tokens
        ),
        spent=ledger.spent(FREE),
    )


def _allow(_n_missing: int) -> None:
    return None
