"""Make the teacher that params.yaml names, and what sends requests to it."""

import threading
from collections.abc import Callable

from llm2llm.exceptions import ParamsError
from llm2llm.ids import Json
from llm2llm.ledger.database import Ledger
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.teacher_batch import TeacherBatchParams
from llm2llm.tasks.sections import ResponseFormat
from llm2llm.teacher.budget import Budget, Prices
from llm2llm.teacher.protocol import Teacher
from llm2llm.teacher.sending import Sender

# Backends whose answers cost nothing: no budget, and no question before asking them again.
FREE = ("symbolic",)


def make_teacher(
    params: TeacherBatchParams,
    runtime: RuntimeParams,
    response_format: ResponseFormat,
    api_key: str | None,
    *,
    now: Callable[[], float],
    stop: threading.Event,
) -> Teacher:
    """Make a teacher; nothing is sent, and no key is needed, before it is asked."""
    if params.backend == "symbolic":
        from llm2llm.teacher.symbolic import SymbolicTeacher

        return SymbolicTeacher(response_format)
    from llm2llm.teacher.openai import OpenAITeacher

    if response_format.kind == "text" and params.openai.response_format != "none":
        raise ParamsError(
            "`teacher_batch.openai.response_format`: found"
            f" {params.openai.response_format}, expected none: this task reads its candidates"
            " from plain text"
        )
    return OpenAITeacher(
        params.openai,
        response_schema=response_schema(response_format),
        api_key=api_key,
        timeout_s=runtime.teacher_timeout_s,
        max_attempts=runtime.teacher_max_attempts,
        concurrency=runtime.teacher_concurrency,
        now=now,
        sleep=stop.wait,
        stop=stop,
    )


def make_sender(
    params: TeacherBatchParams,
    runtime: RuntimeParams,
    response_format: ResponseFormat,
    api_key: str | None,
    ledger: Ledger,
    *,
    say: Callable[[str], None],
    may_pay: Callable[[int], None],
    now: Callable[[], float],
) -> Sender:
    """Make the sender to that teacher.

    For a paid one: with the budget that `runtime` sets, and `may_pay` is told how many requests
    the ledger lacks before they are sent, unless `runtime.pay_again` is on.
    """
    free = params.backend in FREE
    stop = threading.Event()
    return Sender(
        make_teacher(params, runtime, response_format, api_key, now=now, stop=stop),
        ledger,
        budget=None if free else _budget(runtime, ledger),
        replay=params.replay,
        concurrency=runtime.teacher_concurrency,
        grace_s=runtime.teacher_timeout_s,
        say=say,
        may_send=_allow if free or runtime.pay_again else may_pay,
        now=now,
        stop=stop,
    )


def _budget(runtime: RuntimeParams, ledger: Ledger) -> Budget:
    return Budget(
        max_requests=runtime.max_requests,
        max_cost=runtime.max_cost,
        prices=Prices(
            runtime.price_per_million_prompt_tokens, runtime.price_per_million_completion_tokens
        ),
        spent=ledger.spent(FREE),
    )


def _allow(_n_missing: int) -> None:
    return None


def response_schema(response_format: ResponseFormat) -> dict[str, Json]:
    """Write the JSON schema of one candidate: an object of texts, all required."""
    names = [response_format.input]
    if response_format.target is not None:
        names.append(response_format.target)
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": names,
        "additionalProperties": False,
    }
