"""What commands that look at the teacher share: senders, and a ledger to look answers up in."""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from llm2llm.answer_judging import AnswerJudge
from llm2llm.judge_edge import judge_sender
from llm2llm.ledger.database import Ledger
from llm2llm.params.loading import load_section
from llm2llm.params.measuring import MeasuringParams
from llm2llm.pending import Teaching
from llm2llm.stage import PARAMS, say
from llm2llm.teacher.backends import Edge, make_sender
from llm2llm.teacher.bought import refuse_to_pay_again
from llm2llm.teacher.sending import Sender

_LOCK = Path("stages/dvc.lock")


@contextmanager
def ledger_of(store: Path, *, make: bool) -> Iterator[Ledger]:
    """Open the project's ledger; where there is none make it, or open an empty one elsewhere."""
    if make or (store / "ledger.sqlite").is_file():
        with closing(Ledger(store)) as ledger:
            yield ledger
        return
    with tempfile.TemporaryDirectory() as folder, closing(Ledger(Path(folder))) as ledger:
        yield ledger


def sender_of(teaching: Teaching, ledger: Ledger, iteration: int) -> Sender:
    """Make the sender that the stage of an iteration would send with."""
    edge = Edge(
        key=os.environ.get,
        now=time.time,
        clock=time.monotonic,
        say=say,
        on_tally=lambda _tally: None,
        may_pay=lambda n: refuse_to_pay_again(f"teacher-batch@{iteration}", _LOCK, n),
        stop=threading.Event(),
        set_default=os.environ.setdefault,
    )
    return make_sender(teaching.params, teaching.runtime, teaching.prompt.response, ledger, edge)


def answer_judge_of(teaching: Teaching, ledger: Ledger) -> AnswerJudge | None:
    """Make the judge of free text that params.yaml names; null where the answers are compared."""
    judging = load_section(PARAMS, "predict", MeasuringParams).judge
    if judging is None or teaching.criteria.answer.kind != "free":
        return None
    sender = judge_sender(judging, "predict", _LOCK, lambda: ledger, lambda _tally: None)
    return AnswerJudge(judging, sender)
