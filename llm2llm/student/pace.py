"""How fast answers come, and how long the rest will take."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a prediction is: answers in all, and those that this process gave, with tokens."""

    n_done: int
    n_total: int
    n_new: int
    n_new_tokens: int


class Pace:
    """Pass progress on with a note of tokens per second and time left, once there is a pace.

    The first call starts the clock: what was answered by an earlier process counts for no pace.
    """

    def __init__(
        self, advance: Callable[[int, int, str], None], clock: Callable[[], float]
    ) -> None:
        self._advance = advance
        self._clock = clock
        self._start: float | None = None

    def __call__(self, progress: Progress) -> None:
        """Take in one step of progress."""
        now = self._clock()
        if self._start is None:
            self._start = now
        passed = now - self._start
        note = ""
        if passed > 0 and progress.n_new:
            left = passed / progress.n_new * (progress.n_total - progress.n_done)
            note = f"{progress.n_new_tokens / passed:.0f} tokens/s, {_in_words(left)} left"
        self._advance(progress.n_done, progress.n_total, note)


def _in_words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
