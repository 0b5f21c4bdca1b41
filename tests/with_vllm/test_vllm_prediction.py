"""Prediction by vLLM: the texts that transformers gives, from weights, adapter and calculator."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_llama import make_llama
from tiny_student import EXAMPLES, FORMAT, PREDICT, a_training, train

from llm2llm.files import as_json
from llm2llm.student.base import describe_embedded, write_base
from llm2llm.student.handover import write_weights
from llm2llm.student.prediction import Asking, answers

pytestmark = pytest.mark.timeout(900)
INPUTS = [text + "!" * (7 * i % 11) for i, (text, _) in enumerate(EXAMPLES[:12])]
SUMS = [(f"{a} plus {b}", f"<<{a}+{b}=0>>") for a in range(1, 9) for b in (11, 47)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a base model whose heads are as wide as vLLM wants them."""
    folder = tmp_path_factory.mktemp("base")
    make_llama(folder / "model", None)
    write_base(folder, describe_embedded(folder / "model"))
    return folder


@pytest.fixture(scope="module")
def students(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Train by each method, and one that writes annotations with wrong values."""
    store = tmp_path_factory.mktemp("students")
    made = {
        "full": {"method": "full", "epochs": 40, "learning_rate": 0.003},
        "lora": {"method": "lora", "epochs": 60},
        "sums": {"method": "full", "epochs": 80, "learning_rate": 0.003, "examples": SUMS},
    }
    return {name: train(a_training(base, **how), store) for name, how in made.items()}


def by_transformers(base: Path, student: Path, store: Path, inputs: list[str], **changes: Any):
    """Answer by transformers in this process."""
    params = PREDICT.model_copy(update={"engine": "transformers"} | changes)
    answered = answers(
        Asking(inputs, [], student, base, FORMAT, params, random_seed=5),
        store=store,
        set_default=lambda _name, _value: None,
        on_wait=lambda _: None,
        on_progress=lambda _progress: None,
    )
    return [as_json(each) for each in answered.greedy]


def run_vllm(
    base: Path, student: Path, store: Path, inputs: list[str], kill_at: int = 0, **changes: Any
):
    """Answer by vLLM in a process of its own; give how it ended."""
    script = Path(__file__).with_name("ask_vllm.py")
    where = [str(base), str(student), str(store)]
    what = [json.dumps(inputs), json.dumps(changes), str(kill_at)]
    return subprocess.run(
        [sys.executable, str(script), *where, *what],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def by_vllm(*arguments: Any, **changes: Any) -> dict[str, Any]:
    """Answer by vLLM, which must go well."""
    done = run_vllm(*arguments, **changes)
    assert done.returncode == 0, done.stderr[-3000:]
    (said,) = [line for line in done.stdout.splitlines() if line.startswith("answered: ")]
    return json.loads(said.removeprefix("answered: "))


@pytest.mark.parametrize("method", ["full", "lora"])
def test_vllm_answers_as_transformers_does(
    base: Path, students: dict[str, Path], tmp_path: Path, method: str
) -> None:
    """Greedy texts in fp32, their token counts and their endings are the same, in input order."""
    expected = by_transformers(base, students[method], tmp_path / "t", INPUTS, max_new_tokens=12)
    found = by_vllm(base, students[method], tmp_path / "v", INPUTS, max_new_tokens=12)
    assert found["greedy"] == expected
    assert found["drawn"] == [[] for _ in INPUTS]
    assert len({each["text"] for each in expected}) >= 3


def test_vllm_loads_a_student_that_was_handed_on(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """An adapter merged into its base answers from the exported folder alone."""
    out = tmp_path / "out"
    out.mkdir()
    write_weights(students["lora"], base, out, merge=True)
    expected = by_transformers(base, students["lora"], tmp_path / "t", INPUTS, max_new_tokens=12)
    assert by_vllm(out, out, tmp_path / "v", INPUTS, max_new_tokens=12)["greedy"] == expected


def test_the_calculator_fills_in_what_it_does_under_transformers(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """A student that writes `=0>>` is given the value, for every one of sixteen sums."""
    inputs = [text for text, _ in SUMS]
    asked = {"max_new_tokens": 24, "calculator": True}
    expected = by_transformers(base, students["sums"], tmp_path / "t", inputs, **asked)
    found = by_vllm(base, students["sums"], tmp_path / "v", inputs, **asked)
    assert found["greedy"] == expected
    values = [text.replace("=0>>", f"={eval(text[2:-4])}>>") for _, text in SUMS]  # noqa: S307
    assert [each["text"] for each in expected] == values


def test_draws_are_seeded_and_killed_ones_go_on(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """The same draws come again in another process, and after a kill the groups done are kept."""
    asked = {"max_new_tokens": 8, "samples": 3, "temperature": 2.0}
    first = by_vllm(base, students["full"], tmp_path / "one", INPUTS, **asked)
    assert all(len({draw["text"] for draw in draws}) > 1 for draws in first["drawn"])
    killed = run_vllm(base, students["full"], tmp_path / "two", INPUTS, len(INPUTS), **asked)
    assert killed.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "two").glob("work/*/batches/*.json"))) == 1
    assert by_vllm(base, students["full"], tmp_path / "two", INPUTS, **asked) == first


def test_what_vllm_cannot_run_is_one_sentence(
    base: Path, students: dict[str, Path], tmp_path: Path
) -> None:
    """Its own reason, and the params that help."""
    done = run_vllm(
        base,
        students["full"],
        tmp_path,
        INPUTS,
        max_new_tokens=8,
        vllm={"tensor_parallel_size": 3, "gpu_memory_utilization": 0.5, "enforce_eager": True},
    )
    assert done.returncode != 0
    message = done.stderr.strip().splitlines()[-1]
    assert "MachineError: `predict.engine`: vLLM cannot run" in message
    assert "set `engine: transformers`" in message
