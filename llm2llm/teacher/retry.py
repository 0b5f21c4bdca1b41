"""The one retry policy: exponential back-off with jitter, and never sooner than asked to."""

import threading
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_when_event_set,
)

from llm2llm.teacher.protocol import LostCall

# An endpoint that wants to be left alone for longer than this is out of order for this run.
LONGEST_WAIT_S = 300.0
_LONGEST_BACK_OFF_S = 60.0


class RetriableError(Exception):
    """One try failed in a way that the next may not; `retry_after_s` is the endpoint's wish.

    `busy` says that the endpoint has too much to do; `lost` is set where the try was billed.
    """

    def __init__(
        self,
        reason: str,
        *,
        retry_after_s: float | None = None,
        busy: bool = False,
        lost: LostCall | None = None,
    ) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.busy = busy
        self.lost = lost


def retrying(
    *,
    max_attempts: int,
    sleep: Callable[[float], object],
    stop: threading.Event,
    jitter: Callable[[], float],
) -> Retrying:
    """Make the policy; `jitter` draws from 0 to 1. What is still failing at the end is raised."""

    def wait(state: RetryCallState) -> float:
        back_off: float = min(_LONGEST_BACK_OFF_S, 2.0 ** (state.attempt_number - 1)) * jitter()
        failure = state.outcome.exception() if state.outcome else None
        wish = failure.retry_after_s if isinstance(failure, RetriableError) else None
        return (wish or 0.0) + back_off

    def pause(seconds: float) -> None:
        sleep(seconds)

    return Retrying(
        sleep=pause,
        stop=stop_after_attempt(max_attempts) | stop_when_event_set(stop),
        wait=wait,
        retry=retry_if_exception(_worth_it),
        reraise=True,
    )


def read_retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header, seconds or an HTTP date, as seconds from `now`."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() - now
    return seconds if 0 <= seconds < float("inf") else None


def _worth_it(failure: BaseException) -> bool:
    return isinstance(failure, RetriableError) and (failure.retry_after_s or 0.0) <= LONGEST_WAIT_S
