"""What sections demand of a teacher that cannot hold together, seen before any work."""

import re

from llm2llm.params.measuring import MeasuringParams
from llm2llm.params.openai_chat import OpenAIChatParams
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.teacher import TeacherParams
from llm2llm.params.teacher_batch import TeacherBatchParams
from llm2llm.params.teacher_vllm import model_problem
from llm2llm.tasks.sections import AnswerFormat, ResponseFormat, TeacherPrompt

# How the symbolic teacher's solutions end.
_WORKED = "\n#### 5"


def teaching_problems(
    params: TeacherBatchParams, runtime: RuntimeParams, prompt: TeacherPrompt, answer: AnswerFormat
) -> list[str]:
    """List what the teacher would stop for, one line each, naming the key in params.yaml."""
    found = sending_problems(params, runtime, prompt.response)
    if params.backend == "symbolic":
        # That it solves nothing is told already.
        return found + symbolic_problems(answer)
    return found + vote_problems(params.solves, prompt, answer)


def sending_problems(
    params: TeacherParams, runtime: RuntimeParams, response: ResponseFormat | None
) -> list[str]:
    """List what of it can be told without the task's templates.

    `response` is null where the task has no say in how answers are written.
    """
    if params.backend == "symbolic":
        assert isinstance(params, TeacherBatchParams) and response is not None  # no judge is
        return _of_symbolic(params, response)
    if params.backend == "vllm":
        assert params.vllm is not None  # the section refuses that backend without it
        problem = model_problem(params.vllm, params.where)
        return [] if problem is None else [problem]
    name, endpoint = endpoint_of(params)
    found = []
    if response and response.kind == "text" and endpoint.response_format != "none":
        found.append(
            f"`{name}.response_format`: found {endpoint.response_format}, expected none: this task"
            " reads its candidates from plain text"
        )
    limits = [
        f"`runtime.{each}`"
        for each in ("max_tokens", "max_cost")
        if getattr(runtime, each) is not None
    ]
    # With `replay` nothing is sent, so that there is no limit to keep.
    if limits and not params.replay and not _limits_answers(endpoint):
        found.append(
            f"`{name}.max_tokens`: found null, expected a number: {' and '.join(limits)} cannot be"
            " kept while the length of an answer is not limited; or set"
            f" {'both' if len(limits) == 2 else 'it'} to null and use `runtime.max_requests`"
        )
    return found


def symbolic_problems(answer: AnswerFormat) -> list[str]:
    """Say that the task's answers are none that the symbolic teacher writes."""
    if answer.kind == "number" and answer.pattern and re.search(answer.pattern, _WORKED):
        return []
    return [
        f"`teacher_batch.backend`: found symbolic, and the task's `answer.kind` is {answer.kind}"
        f" with `answer.pattern` {answer.pattern or 'null'}; the symbolic teacher only rewrites"
        " worked arithmetic, with each calculation as <<expression=result>> and a last line `####"
        " number`, and would decline every seed: expected openai, openai-batch or vllm"
    ]


def vote_problems(solves: int, prompt: TeacherPrompt, answer: AnswerFormat) -> list[str]:
    """Say why there can be no votes though there are to be some; empty where all holds."""
    if solves and answer.kind == "free":
        return [
            f"`teacher_batch.solves`: found {solves}, expected 0: the task's `answer.kind` is free,"
            " and votes need answers that can be compared"
        ]
    if not solves or prompt.solve is not None:
        return []
    return [
        f"`teacher_batch.solves`: found {solves}, expected 0, as the task's `teacher.solve` is"
        " null; or write a template over `input` there"
    ]


def judge_problems(answer: AnswerFormat, params: MeasuringParams) -> list[str]:
    """Say that free text has no judge, or that other answers have one."""
    if answer.kind == "free" and params.judge is None:
        return [
            "`predict.judge`: found null, expected a section: the task's `answer.kind` is free, and"
            " somebody has to say which answers are right; docs/student.md has one to copy, or take"
            " `answer.kind: text` where only the very same text is right"
        ]
    if answer.kind != "free" and params.judge is not None:
        return [
            f"`{params.judge.where}`: found a section, expected null: the task's `answer.kind` is"
            f" {answer.kind}, which is compared and not judged"
        ]
    return []


def endpoint_of(params: TeacherParams) -> tuple[str, OpenAIChatParams]:
    """Give the endpoint that an OpenAI backend asks, and where params.yaml names it."""
    # The section refuses a backend without its own.
    if params.backend == "openai-batch":
        assert params.openai_batch is not None
        return f"{params.where}.openai_batch", params.openai_batch
    assert params.openai is not None
    return f"{params.where}.openai", params.openai


def _of_symbolic(params: TeacherBatchParams, response: ResponseFormat) -> list[str]:
    found = []
    if params.solves:
        found.append(
            f"`teacher_batch.solves`: found {params.solves}, expected 0: the symbolic teacher"
            " solves nothing, its examples are right by construction"
        )
    if response.kind != "json":
        found.append(
            f"`teacher_batch.backend`: found symbolic, which answers with a JSON object, and the"
            f" task's `teacher.response.kind` is {response.kind}; expected another backend"
        )
    return found


def _limits_answers(endpoint: OpenAIChatParams) -> bool:
    own = endpoint.extra_body.get("max_completion_tokens")
    return endpoint.max_tokens is not None or type(own) is int
