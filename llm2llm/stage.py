"""The edge of every stage: argv, environment, signals, messages and exit codes."""

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

from llm2llm.exceptions import Llm2llmError, MachineError
from llm2llm.extras import missing

PARAMS = Path("params.yaml")
_LAST_STOP = "last_stop.json"


def store() -> Path:
    """Find `.llm2llm/`, which outlives every run: in $DVC_ROOT, else in this folder."""
    return Path(os.environ.get("DVC_ROOT") or ".").resolve() / ".llm2llm"


def say(text: str) -> None:
    """Print one line of progress at once, on standard error."""
    print(text, file=sys.stderr, flush=True)


def waiting(holder: str) -> None:
    """Say who holds the lock that this stage waits for."""
    say(f"waiting: the same work is under way in another process ({holder})")


def run(main: Callable[[], None]) -> None:
    """Run a stage that takes no iteration; failures become one message and an exit code."""
    _run(main)


def run_iteration(main: Callable[[int], None]) -> None:
    """Run a stage for the iteration named by its only argument."""
    if len(sys.argv) != 2 or not sys.argv[1].isdigit():
        say(f"usage: python {sys.argv[0]} ITERATION; `dvc repro` calls it so")
        raise SystemExit(2)
    iteration = int(sys.argv[1])
    _run(lambda: main(iteration))


def last_stop() -> tuple[str, str] | None:
    """Give the stage that stopped last and has not ended well since, and its message."""
    try:
        found = json.loads((store() / _LAST_STOP).read_text(encoding="utf-8"))
        return str(found["stage"]), str(found["message"])
    except (OSError, ValueError, KeyError, TypeError):
        return None  # none stopped, or the note was cut off by a crash


def _note_stop(message: str) -> None:
    """Keep why this stage stops for `llm2llm status`; a store that is not there is not made."""
    say(f"error: {message}")
    noted = {"stage": _stage(), "message": message}
    # The message is on the screen: a disk that is full must not hide it.
    with suppress(OSError):
        (store() / _LAST_STOP).write_text(json.dumps(noted), encoding="utf-8")


def _forget_stop() -> None:
    stopped = last_stop()
    if stopped is not None and stopped[0] == _stage():
        (store() / _LAST_STOP).unlink(missing_ok=True)


def _stage() -> str:
    """Name this stage as `dvc repro` does."""
    name = Path(sys.argv[0]).stem.replace("_", "-")
    return "@".join([name, *sys.argv[1:2]])


def _run(main: Callable[[], None]) -> None:
    signal.signal(signal.SIGTERM, _terminated)
    # cuBLAS gives the same bits again only with a fixed workspace (read when CUDA starts).
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        main()
        _forget_stop()
    except Llm2llmError as failure:
        _note_stop(str(failure))
        raise SystemExit(failure.exit_code) from None
    except KeyboardInterrupt:
        say("interrupted: what was finished is kept; `dvc repro` goes on from there")
        raise SystemExit(130) from None
    except OSError as failure:
        problem = MachineError.of(failure)
        _note_stop(str(problem))
        raise SystemExit(problem.exit_code) from None
    except ModuleNotFoundError as failure:
        told = missing(failure)
        if told is None:
            raise
        _note_stop(told)
        raise SystemExit(MachineError.exit_code) from None


def _terminated(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
