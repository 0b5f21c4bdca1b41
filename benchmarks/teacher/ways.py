"""The compared ways of getting answers; `python ways.py WAY URL N FOLDER` runs one and times it.

Prints one line of JSON: seconds, CPU seconds and peak memory of this process, answers on disk.
"""

import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CONCURRENCY = 64
NAIVE_THREADS = 10


def messages(number: int) -> list[dict[str, str]]:
    """Write a prompt of about 200 tokens."""
    return [{"role": "user", "content": f"Problem {number}: " + "some words " * 70}]


def llm2llm(url: str, n: int, folder: Path) -> int:
    """Run the teacher stage's own code: errors and seeds in, responses.parquet out."""
    import pyarrow.parquet as pq

    from llm2llm.files import write_records
    from llm2llm.generation import Asking, ask_teacher
    from llm2llm.ledger.database import Ledger
    from llm2llm.params.runtime import RuntimeParams
    from llm2llm.params.teacher_batch import TeacherBatchParams
    from llm2llm.records.errors import SeedError
    from llm2llm.records.examples import Example
    from llm2llm.records.responses import Response
    from llm2llm.tasks.sections import AnswerFormat, TeacherPrompt, Validity
    from llm2llm.teacher.backends import Edge, make_sender
    from llm2llm.validity import Criteria

    prompt = TeacherPrompt.model_validate(
        {
            "system": None, "exchange": None, "user": "{{ input }} {{ target }}", "solve": None,
            "show_student_text": False, "show_earlier": False,
            "response": {"kind": "json", "input": "text", "target": None, "pattern": None},
        }
    )  # fmt: skip
    criteria = Criteria(
        prompt.response,
        AnswerFormat(kind="text", pattern=None, labels=None),
        Validity(max_input_chars=9999, max_target_chars=99, arithmetic=False, same_answer=False),
    )
    values: dict[str, Any] = yaml_section("teacher_batch")
    values |= {"backend": "openai", "attempts": 1}
    values["openai"] = values["openai"] | {"base_url": url, "response_format": "none"}
    runtime = yaml_section("runtime") | {"teacher_concurrency": CONCURRENCY}
    nothing: dict[str, Any] = dict.fromkeys(
        ["iteration", "error", "checkpoint", "request_id", "prompt_sha256", "teacher"]
    )
    errors = [SeedError(f"ex-{k}", 0, "wrong", "?", None, 1, False, 0, True) for k in range(n)]
    examples = [
        Example(
            example_id=f"ex-{k}",
            origin="seed",
            seed_id=f"ex-{k}",
            input=messages(k)[0]["content"],
            target="LOC",
            gate_version=None,
            **nothing,
        )
        for k in range(n)
    ]
    edge = Edge(
        key=lambda _name: None, now=time.time, clock=time.monotonic, say=lambda _text: None,
        on_tally=lambda _tally: None, may_pay=lambda _n: None, stop=threading.Event(),
        set_default=lambda _name, _value: None,
    )  # fmt: skip
    rows = ask_teacher(
        errors,
        examples,
        Asking(prompt, criteria, 1, 0, 0, 0),
        lambda: make_sender(
            TeacherBatchParams.model_validate(values),
            RuntimeParams.model_validate(runtime),
            prompt.response,
            Ledger(folder),
            edge,
        ),
        lambda _text: None,
    )
    write_records(folder / "responses.parquet", Response, rows)
    n_rows = pq.read_metadata(folder / "responses.parquet").num_rows
    n_kept = Ledger(folder).spent([]).n_requests
    assert n_rows == n_kept
    return int(n_kept)


def yaml_section(name: str) -> dict[str, Any]:
    """Read a section of the project's params.yaml."""
    import yaml

    params = Path(__file__).resolve().parents[2] / "params.yaml"
    section: dict[str, Any] = yaml.safe_load(params.read_text(encoding="utf-8"))[name]
    return section


def client(url: str, n: int, folder: Path) -> int:  # noqa: ARG001 - it keeps nothing
    """Use the openai client alone on as many threads: nothing is kept."""
    from openai import OpenAI

    made = OpenAI(base_url=url, api_key="none", max_retries=0)

    def ask(number: int) -> int:
        answer = made.chat.completions.create(model="m", messages=messages(number))  # type: ignore[arg-type]
        return len(answer.choices)

    with ThreadPoolExecutor(CONCURRENCY) as pool:
        return sum(pool.map(ask, range(n)))


def naive(url: str, n: int, folder: Path) -> int:
    """Do it the published code's way: 10 threads, the whole result file rewritten each time."""
    from openai import OpenAI

    made = OpenAI(base_url=url, api_key="none", max_retries=0)
    found: list[dict[str, Any]] = []
    lock = threading.Lock()

    def ask(number: int) -> None:
        answer = made.chat.completions.create(model="m", messages=messages(number))  # type: ignore[arg-type]
        with lock:
            found.append({"input": messages(number), "output": answer.choices[0].message.content})
            (folder / "results.json").write_text(json.dumps(found), encoding="utf-8")

    with ThreadPoolExecutor(NAIVE_THREADS) as pool:
        list(pool.map(ask, range(n)))
    return len(json.loads((folder / "results.json").read_text(encoding="utf-8")))


WAYS: dict[str, Callable[[str, int, Path], int]] = {
    "llm2llm": llm2llm,
    "client": client,
    "naive": naive,
}


def main() -> None:
    """Run one way and print what it took."""
    way, url, n, folder = sys.argv[1:]
    # Imports and the client's start are the same for all, and no part of the time per request.
    WAYS[way](url, 2, Path(folder, "warm-up"))
    cpu, begun = time.process_time(), time.monotonic()
    kept = WAYS[way](url, int(n), Path(folder))
    took = {
        "seconds": time.monotonic() - begun,
        "cpu_s": time.process_time() - cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "answers": kept,
    }
    print(json.dumps(took))


if __name__ == "__main__":
    main()
