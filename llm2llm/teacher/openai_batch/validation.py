"""What it means that a provider refused a whole batch at validation; nothing was billed then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm2llm.teacher.openai_batch.views import Problem
from llm2llm.teacher.openai_failures import is_without_credit
from llm2llm.teacher.protocol import BAD_REQUEST, TeacherStoppedError

# No fault of the file: the provider holds enough of this account for now.
_FULL = {"token_limit_exceeded", "rate_limit_exceeded", "too_many_tasks"}
# More lines than this at fault, and it is what all lines share: the params.
_FEW = 2
_FEW_SHARE = 0.1
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Failed:
    """Lines that are bad requests, with the reason; else why the stage stops; else try again."""

    refused: Mapping[int, str]
    stopped: TeacherStoppedError | None
    again: str


def judge_validation(problems: Sequence[Problem], n_requests: int) -> Failed:
    """Say who is at fault: some lines, all of them (the params), or the moment."""
    codes = {problem.code or "" for problem in problems}
    said = "; ".join(_say(problem) for problem in problems[:_SHOWN]) or "no reason given"
    if len(problems) > _SHOWN:
        said += f"; and {len(problems) - _SHOWN} more"
    again = f"the provider failed the batch ({said})"
    if not problems or codes <= _FULL:
        return Failed({}, None, again)
    if is_without_credit(codes):
        return Failed({}, TeacherStoppedError(f"no credit is left for this key ({said})"), again)
    lines = {problem.line for problem in problems}
    named = {line for line in lines if line is not None and line <= n_requests}
    if named == lines and len(named) <= max(_FEW, int(_FEW_SHARE * n_requests)):
        refused = {
            problem.line: f"{BAD_REQUEST} ({_say(problem)})"
            for problem in problems
            if problem.line is not None
        }
        return Failed(refused, None, again)
    stopped = TeacherStoppedError(
        f"the provider refused a batch of {n_requests} requests at validation ({said}); mend"
        " its section `openai_batch` in params.yaml"
    )
    return Failed({}, stopped, again)


def _say(problem: Problem) -> str:
    where = f"line {problem.line}: " if problem.line else ""
    code = f"{problem.code}: " if problem.code else ""
    return f"{where}{code}{problem.message}"
