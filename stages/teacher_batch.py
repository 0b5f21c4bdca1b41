"""Ask the teacher for new examples like the seeds that the student got wrong."""

import os
import threading
import time
from pathlib import Path

from llm2llm.files import read_records, write_records
from llm2llm.generation import Asking, ask_teacher
from llm2llm.ids import sha256_file, sha256_json
from llm2llm.ledger.database import Ledger
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.teacher_batch import TeacherBatchParams
from llm2llm.progress import progress
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.stage import PARAMS, run_iteration, say, store, waiting
from llm2llm.tasks.sections import TeacherPrompt
from llm2llm.teacher.backends import Edge, make_sender
from llm2llm.teacher.bought import refuse_to_pay_again
from llm2llm.validity import load_criteria
from llm2llm.work import unit_of_work

LOCK = Path("stages/dvc.lock")


def main(iteration: int) -> None:
    """Write data/iterations/i/responses.parquet."""
    name = f"teacher-batch {iteration}"
    params = load_section(PARAMS, "teacher_batch", TeacherBatchParams)
    runtime = load_section(PARAMS, "runtime", RuntimeParams)
    random_seed = load_value(PARAMS, "random_seed", int)
    stops = runtime.stop_when_all_fail and params.is_paid
    task = Path(load_value(PARAMS, "task", str))
    prompt = load_section(task, "teacher", TeacherPrompt)
    criteria = load_criteria(task)
    files = (
        Path(f"data/iterations/{iteration}/errors.parquet"),
        Path(f"data/sets/{iteration}/examples.parquet"),
    )
    errors, examples = read_records(files[0], SeedError), read_records(files[1], Example)
    sections = [each.model_dump() for each in (params, prompt, criteria.answer, criteria.validity)]
    key = sha256_json([name, random_seed, *sections, *(sha256_file(file) for file in files)])
    with unit_of_work(store(), key, waiting), progress(name) as advance:
        edge = Edge(
            key=os.environ.get,
            now=time.time,
            clock=time.monotonic,
            say=lambda text: say(f"{name}: {text}"),
            on_tally=lambda now: advance(now.n_done, now.n_total, now.note(time.monotonic())),
            may_pay=lambda n: refuse_to_pay_again(f"teacher-batch@{iteration}", LOCK, n),
            stop=threading.Event(),
            set_default=os.environ.setdefault,
        )
        rows = ask_teacher(
            errors,
            examples,
            Asking(prompt, criteria, params.attempts, params.solves, random_seed, iteration, stops),
            lambda: make_sender(params, runtime, prompt.response, Ledger(store()), edge),
            edge.say,
        )
        write_records(files[0].with_name("responses.parquet"), Response, rows)


if __name__ == "__main__":
    run_iteration(main)
