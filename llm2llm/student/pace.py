"""How fast a training or a prediction goes, and how long the rest will take."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a prediction or a training is: answers or updates in all, and this process's.

    `n_new_tokens` are those that its own answers or updates took; `loss` is a training's of late.
    """

    n_done: int
    n_total: int
    n_new: int
    n_new_tokens: int
    loss: float | None = None


class Pace:
    """Pass progress on with a note of loss, tokens per second and time left, as they are known.

    The first call starts the clock: what an earlier process did counts for no pace.
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
        notes = [] if progress.loss is None else [f"loss {progress.loss:.4g}"]
        if passed > 0 and progress.n_new:
            left = passed / progress.n_new * (progress.n_total - progress.n_done)
            notes.append(f"{progress.n_new_tokens / passed:,.0f} tokens/s")
            notes.append(f"{_in_words(left)} left")
        self._advance(progress.n_done, progress.n_total, ", ".join(notes))


def _in_words(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
