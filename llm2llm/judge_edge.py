"""The edge of whoever asks a judge: environment, clocks, messages and the project's ledger."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from llm2llm.ledger.database import Ledger
from llm2llm.params.judge import JudgeParams
from llm2llm.params.loading import load_section
from llm2llm.params.runtime import RuntimeParams
from llm2llm.stage import PARAMS, say
from llm2llm.teacher.backends import Edge, make_sender
from llm2llm.teacher.bought import refuse_to_pay_again
from llm2llm.teacher.sending import Sender
from llm2llm.teacher.tally import Tally


def judge_sender(
    params: JudgeParams,
    stage: str,
    lock: Path,
    ledger: Callable[[], Ledger],
    on_tally: Callable[[Tally], None],
) -> Callable[[], Sender]:
    """Give what makes the sender to a judge; `ledger` is opened when there is something to ask.

    `lock` is the dvc.lock that lists `stage`, by the name that it has there.
    """
    runtime = load_section(PARAMS, "runtime", RuntimeParams)
    edge = Edge(
        key=os.environ.get,
        now=time.time,
        clock=time.monotonic,
        say=lambda text: say(f"{stage}: judge: {text}"),
        on_tally=on_tally,
        may_pay=lambda n: refuse_to_pay_again(stage, lock, n),
        stop=threading.Event(),
        set_default=os.environ.setdefault,
    )
    return lambda: make_sender(params, runtime, None, ledger(), edge)
