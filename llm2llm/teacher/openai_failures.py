"""What a failed call to an OpenAI-compatible endpoint means for the request, and for the run."""

from collections.abc import Callable, Set
from typing import TYPE_CHECKING

from llm2llm.teacher.protocol import BAD_REQUEST, Refusal, TeacherStoppedError
from llm2llm.teacher.retry import RetriableError, read_retry_after

if TYPE_CHECKING:
    from openai import APIError, APIStatusError

_CONTENT_POLICY = {"content_filter", "content_policy_violation"}
# Codes that no waiting mends, under whatever status an endpoint sends them.
_NO_CREDIT = {
    "account_deactivated",
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_quota",
}
_RETRIED_STATUS = {408, 409, 425, 429}
_NO_ACCESS = 401
_STOPPING_STATUS = {
    _NO_ACCESS: "the key was refused",
    402: "payment is due",
    403: "access was refused",
    404: "no such address or model",
    405: "the address takes no chat requests",
}
_LONGEST_MESSAGE = 500


def judge(
    failure: "APIError", now: float, hide: Callable[[str], str], no_key: str | None = None
) -> RetriableError | Refusal | TeacherStoppedError:
    """Say whether a failed call is tried again, becomes a row, or ends the stage.

    `hide` blots the key out of what the endpoint says, before that is shortened. `no_key` says why
    none was sent, where that is so.
    """
    from openai import APIStatusError, APITimeoutError

    if isinstance(failure, APIStatusError):
        verdict = _judge_status(failure, now, hide)
        if (
            no_key
            and failure.status_code == _NO_ACCESS
            and isinstance(verdict, TeacherStoppedError)
        ):
            told = str(verdict).replace(_STOPPING_STATUS[_NO_ACCESS], no_key, 1)
            return TeacherStoppedError(told)
        return verdict
    if isinstance(failure, APITimeoutError):
        return RetriableError("no answer in time")
    cause = failure.__cause__
    detail = f"{type(cause).__name__}: {cause}" if cause else str(failure)
    return RetriableError(f"connection failed ({short(hide(detail))})")


def _judge_status(
    failure: "APIStatusError", now: float, hide: Callable[[str], str]
) -> RetriableError | Refusal | TeacherStoppedError:
    wish = read_retry_after(failure.response.headers.get("retry-after"), now)
    codes = {str(failure.code), str(failure.type)}
    message = failure.message
    if message == f"Error code: {failure.status_code}":
        # The client reads OpenAI's own form only; others have their reason elsewhere in the body.
        message = f"{message} - {failure.response.text}"
    return judge_status(failure.status_code, codes, hide(message), retry_after_s=wish)


def judge_status(
    status: int, codes: Set[str], message: str, *, retry_after_s: float | None = None
) -> RetriableError | Refusal | TeacherStoppedError:
    """Judge a failure by its HTTP status and the `code` and `type` that stand in it."""
    said = f"{status}: {short(message)}"
    if is_without_credit(codes):
        return TeacherStoppedError(f"the endpoint has no credit left for this key ({said})")
    if codes & _CONTENT_POLICY:
        return Refusal(f"content policy ({said})")
    if status in _RETRIED_STATUS or status >= 500:
        return RetriableError(said, retry_after_s=retry_after_s, busy=status == 429)
    if status in _STOPPING_STATUS or status < 400:
        meaning = _STOPPING_STATUS.get(status, "the address answers with a redirection")
        return TeacherStoppedError(f"{meaning} ({said})")
    return Refusal(f"{BAD_REQUEST} ({said})")


def is_without_credit(codes: Set[str]) -> bool:
    """Say whether one of the codes means that the account must be paid first."""
    return bool(codes & _NO_CREDIT)


def short(text: str) -> str:
    """Cut a message from outside to one line of bounded length."""
    # JSON can escape half a surrogate pair, which neither a file nor a database takes.
    flat = " ".join(text.encode("utf-8", "replace").decode().split())
    return flat if len(flat) <= _LONGEST_MESSAGE else flat[: _LONGEST_MESSAGE - 3] + "..."
