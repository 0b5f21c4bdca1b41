"""The edge of gate judge: params, and a lock around what it asks."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from llm2llm.ids import sha256_file, sha256_json
from llm2llm.judge_edge import judge_sender
from llm2llm.judging import Judge
from llm2llm.ledger.database import Ledger
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.params.loading import load_section, load_value
from llm2llm.stage import PARAMS, store, waiting
from llm2llm.tasks.sections import LeakagePolicy
from llm2llm.teacher.tally import Tally
from llm2llm.validity import load_criteria
from llm2llm.work import unit_of_work

_LOCK = Path("stages/dvc.lock")


def paying_alone(stage: str, files: Sequence[Path]) -> AbstractContextManager[object]:
    """Keep other processes from asking for the same judgments meanwhile, an orphan's too.

    `files` are what the stage reads. Without a judge nothing is paid, and nothing is locked.
    """
    params = load_section(PARAMS, "dedupe_against_test", DedupeParams)
    if params.judging is None:
        return nullcontext()
    task = Path(load_value(PARAMS, "task", str))
    criteria, policy = load_criteria(task), load_section(task, "leakage", LeakagePolicy)
    sections = [each.model_dump() for each in (params, criteria.answer, criteria.validity, policy)]
    key = sha256_json([stage, *sections, *(sha256_file(file) for file in files)])
    return unit_of_work(store(), key, waiting)


def judge_of(
    stage: str, ledger: Callable[[], Ledger], on_tally: Callable[[Tally], None]
) -> Judge | None:
    """Make the judge that params.yaml names; null where that gate is off.

    `ledger` is opened when there is something to ask.
    """
    judging = load_section(PARAMS, "dedupe_against_test", DedupeParams).judging
    if judging is None:
        return None
    policy = load_section(Path(load_value(PARAMS, "task", str)), "leakage", LeakagePolicy)
    return Judge(
        judging,
        judge_sender(judging, stage, _LOCK, ledger, on_tally),
        masked=policy.masked and not policy.templated,
    )
