"""An exported student in vLLM itself: as an adapter beside its base, and merged."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_llama import make_llama
from tiny_student import EXAMPLES, FORMAT, a_training, train

from llm2llm.student.base import describe_outside, write_base
from llm2llm.student.formatting import Template
from llm2llm.student.handover import write_weights
from llm2llm.student.loading import load_student

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Describe a model in a folder of its own."""
    folder = tmp_path_factory.mktemp("base")
    model = make_llama(tmp_path_factory.mktemp("outside") / "model", None)
    write_base(folder, describe_outside(str(model), None))
    return folder


@pytest.fixture(scope="module")
def student(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train an adapter whose answers are not its base's."""
    return train(a_training(base, method="lora", epochs=60), tmp_path_factory.mktemp("student"))


def at_home(student: Path, base: Path) -> tuple[list[list[int]], list[list[int]]]:
    """Give prompts and the tokens of the student's answers, one at a time by transformers."""
    model, tokenizer = load_student(student, base, bf16=False, device="cpu")
    prompts = Template(FORMAT, tokenizer).encode_prompts([text for text, _ in EXAMPLES[:6]])
    answers = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        made = model.generate(
            ids, max_new_tokens=12, do_sample=False, pad_token_id=0, eos_token_id=2
        )
        answers.append(made[0, len(prompt) :].tolist())
    return prompts, answers


def in_vllm(model: Path, adapter: Path | None, prompts: list[list[int]]) -> list[list[list[int]]]:
    """Ask vLLM in a process of its own."""
    script = str(Path(__file__).with_name("ask_bare_vllm.py"))
    done = subprocess.run(
        [sys.executable, script, str(model), str(adapter or ""), json.dumps(prompts)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (said,) = [line for line in done.stdout.splitlines() if line.startswith("answered: ")]
    return json.loads(said.removeprefix("answered: "))


def test_vllm_takes_an_exported_adapter_beside_its_base(
    base: Path, student: Path, tmp_path: Path
) -> None:
    """By LoRARequest it gives the student's answers; without it the base gives others."""
    write_weights(student, base, tmp_path, merge=False)
    named = json.loads((tmp_path / "adapter_config.json").read_text())["base_model_name_or_path"]
    prompts, expected = at_home(student, base)
    without, with_adapter = in_vllm(Path(named), tmp_path, prompts)
    assert with_adapter == expected != without
    assert len({tuple(answer) for answer in expected}) > 1


def test_vllm_takes_a_merged_student(base: Path, student: Path, tmp_path: Path) -> None:
    """The folder is a model like any other."""
    write_weights(student, base, tmp_path, merge=True)
    prompts, expected = at_home(student, base)
    assert in_vllm(tmp_path, None, prompts) == [expected]
