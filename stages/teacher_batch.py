"""Ask the teacher for new examples like the seeds that the student got wrong."""

import os
import time
from pathlib import Path

from llm2llm.files import read_records, write_records
from llm2llm.generation import ask_teacher, unparsable
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
from llm2llm.teacher.backends import make_sender
from llm2llm.teacher.bought import refuse_to_pay_again
from llm2llm.work import unit_of_work

LOCK = Path("stages/dvc.lock")


def main(iteration: int) -> None:
    """Write data/iterations/i/responses.parquet."""
    name = f"teacher-batch {iteration}"
    params = load_section(PARAMS, "teacher_batch", TeacherBatchParams)
    runtime = load_section(PARAMS, "runtime", RuntimeParams)
    random_seed = load_value(PARAMS, "random_seed", int)
    prompt = load_section(Path(load_value(PARAMS, "task", str)), "teacher", TeacherPrompt)
    files = (
        Path(f"data/iterations/{iteration}/errors.parquet"),
        Path(f"data/sets/{iteration}/examples.parquet"),
    )
    errors, examples = read_records(files[0], SeedError), read_records(files[1], Example)
    sections = [params.model_dump(), prompt.model_dump()]
    key = sha256_json([name, random_seed, *sections, *(sha256_file(file) for file in files)])
    with unit_of_work(store(), key, waiting), progress(name) as advance:
        responses = ask_teacher(
            errors,
            examples,
            make_sender=lambda: make_sender(
                params,
                runtime,
                prompt.response,
                os.environ.get(params.openai.api_key_env or ""),
                Ledger(store()),
                say=lambda text: say(f"{name}: {text}"),
                may_pay=lambda n: refuse_to_pay_again(f"teacher-batch@{iteration}", LOCK, n),
                now=time.time,
            ),
            prompt=prompt,
            attempts=params.attempts,
            random_seed=random_seed,
            iteration=iteration,
            wants_retry=unparsable(prompt.response),
            on_progress=advance,
        )
        write_records(files[0].with_name("responses.parquet"), Response, responses)
    n_failed = sum(response.status == "failed" for response in responses)
    n_answered = len(responses) - n_failed
    say(f"{name}: {len(responses)} requests = {n_answered} answered + {n_failed} failed")


if __name__ == "__main__":
    run_iteration(main)
