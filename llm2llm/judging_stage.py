"""The edge of gate judge: environment, clocks and the project's ledger around it."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

from llm2llm.judging import Judge
from llm2llm.ledger.database import Ledger
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.runtime import RuntimeParams
from llm2llm.stage import PARAMS, say
from llm2llm.tasks.sections import LeakagePolicy
from llm2llm.teacher.backends import Edge, make_sender
from llm2llm.teacher.bought import refuse_to_pay_again
from llm2llm.teacher.tally import Tally

_LOCK = Path("stages/dvc.lock")


def judge_of(
    stage: str, ledger: Callable[[], Ledger], on_tally: Callable[[Tally], None]
) -> Judge | None:
    """Make the judge that params.yaml names; null where that gate is off.

    `ledger` is opened when there is something to ask.
    """
    judging = load_section(PARAMS, "dedupe_against_test", DedupeParams).judging
    if judging is None:
        return None
    runtime = load_section(PARAMS, "runtime", RuntimeParams)
    policy = load_section(Path(load_value(PARAMS, "task", str)), "leakage", LeakagePolicy)
    edge = Edge(
        key=os.environ.get,
        now=time.time,
        clock=time.monotonic,
        say=lambda text: say(f"{stage}: judge: {text}"),
        on_tally=on_tally,
        may_pay=lambda n: refuse_to_pay_again(stage, _LOCK, n),
        stop=threading.Event(),
        set_default=os.environ.setdefault,
    )
    return Judge(
        judging,
        lambda: make_sender(judging, runtime, None, ledger(), edge),
        masked=policy.masked and not policy.templated,
        random_seed=load_value(PARAMS, "random_seed", int),
    )
