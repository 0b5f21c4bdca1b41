"""Presets of students and teachers, and how they are written into params.yaml."""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from llm2llm.cli.main import app
from llm2llm.exceptions import ParamsError
from llm2llm.params.measuring import MeasuringParams
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.teacher_batch import TeacherBatchParams
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.starting.choices import choose_student, choose_teacher
from llm2llm.starting.params_text import add_missing, overlay
from llm2llm.starting.presets import WHOLE, memory_of, names, source, student_preset, teacher_preset
from llm2llm.student.memory import gib

STUDENTS = [
    "embedded", "minilm", "modernbert", "qwen-0.5b", "qwen-1.5b", "qwen-7b-lora", "qwen-7b-qlora",
    "smollm3-3b",
]  # fmt: skip
TEACHERS = ["ollama", "openai", "openrouter", "symbolic", "vllm-serve"]
GIB = 1 << 30


def test_the_presets_are_those() -> None:
    """Each is listed, and the listings' commands name each."""
    assert names("students") == STUDENTS
    assert names("teachers") == TEACHERS
    for sort, known in (("students", STUDENTS), ("teachers", TEACHERS)):
        result = CliRunner().invoke(app, ["preset", sort, "--json"])
        assert list(json.loads(result.stdout)) == known
        plain = CliRunner().invoke(app, ["preset", sort]).stdout
        assert all(name in plain for name in known)


@pytest.mark.parametrize("name", STUDENTS)
def test_a_student_gives_params_that_hold(name: str) -> None:
    """Laid over the complete preset, its sections are valid, and nothing else has changed."""
    preset = student_preset(name)
    values = yaml.safe_load(overlay(source(WHOLE), preset.params))
    TrainIterParams.model_validate(values["train_iter"])
    MeasuringParams.model_validate(values["predict"])
    whole = yaml.safe_load(source(WHOLE))
    changed = {section for section in whole if values[section] != whole[section]}
    assert changed <= {"base_model", "train_iter", "predict"}


@pytest.mark.parametrize("name", TEACHERS)
def test_a_teacher_gives_params_that_hold(name: str) -> None:
    """Laid over the complete preset, its sections are valid."""
    values = yaml.safe_load(overlay(source(WHOLE), teacher_preset(name).params))
    assert TeacherBatchParams.model_validate(values["teacher_batch"]).backend in (
        "openai", "symbolic",
    )  # fmt: skip
    RuntimeParams.model_validate(values["runtime"])


def test_shapes_are_those_of_the_models() -> None:
    """A Llama-like model's weights follow from its widths; the sums are the published counts."""
    counts = {"qwen-0.5b": 494_032_768, "qwen-1.5b": 1_543_714_304, "smollm3-3b": 3_075_098_624}
    counts |= {"qwen-7b-lora": 7_615_616_512, "qwen-7b-qlora": 7_615_616_512}
    for name, n in counts.items():
        shape = student_preset(name).shape
        assert shape.n_parameters == n
        h, i, kv = shape.hidden, shape.intermediate, shape.kv_width
        assert shape.n_linear == shape.layers * (2 * h * h + 2 * h * kv + 3 * h * i)
        assert shape.linear_edges == shape.layers * (4 * h + 2 * (h + kv) + 3 * (h + i))
        tables = (n - shape.n_linear) / (shape.vocabulary * h)
        assert 1 <= tables < 1.01 or 2 <= tables < 2.01  # embeddings, tied with the head or not


def test_memory_is_what_the_presets_say() -> None:
    """Those for a GPU of 24 GB fit it, with rows of 256 tokens; 4 bits take half of LoRA's."""
    for name in ("qwen-1.5b", "smollm3-3b", "qwen-7b-lora", "qwen-7b-qlora"):
        need = memory_of(student_preset(name))
        assert max(need["training_cuda"], need["prediction_cuda"]) < 22 * GIB, name
    lora, qlora = (memory_of(student_preset(f"qwen-7b-{kind}")) for kind in ("lora", "qlora"))
    assert qlora["training_cuda"] < 0.6 * lora["training_cuda"]
    assert "training_cpu" not in qlora
    assert memory_of(student_preset("embedded")) == {}


def test_the_docs_table_is_what_the_command_prints() -> None:
    """docs/your-own-data.md has each student with the memory that is estimated now."""
    text = (Path(__file__).parents[1] / "docs/your-own-data.md").read_text(encoding="utf-8")
    told = re.findall(
        r"(?m)^\| (?!student)([a-z][\w.-]*) \| (\S+) \| (.*) \| (.*) \| (.*) \|$", text
    )
    needs = {name: memory_of(student_preset(name)) for name in STUDENTS}
    columns = ("training_cpu", "training_cuda", "prediction_cuda")
    assert told == [
        (
            name,
            student_preset(name).params["base_model"]["model"],
            *(gib(need[column]) if column in need else "-" for column in columns),
        )
        for name, need in needs.items()
    ]


def test_every_preset_is_shipped() -> None:
    """pyproject.toml names a pattern for each folder of presets."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    folder = files("llm2llm") / "presets"
    assert {entry.name for entry in folder.iterdir() if entry.is_dir()} == {"students", "teachers"}
    assert '"presets/*.yaml"' in text
    assert '"presets/*/*.yaml"' in text


def test_choices_replace_model_and_key() -> None:
    """--model, --teacher-model and --key-env stand in for the preset's."""
    assert choose_teacher("openai", None, "MY_KEY").note.startswith("export MY_KEY=...  # and set")
    assert choose_teacher("ollama", "mine:1b", None).note == "ollama pull mine:1b"
    student = choose_student("qwen-1.5b", "me/mine", "text")
    assert student.params["base_model"]["model"] == "me/mine"
    assert student.chat is True
    teacher = choose_teacher("openai", "gpt-x", "MY_KEY").params["teacher_batch"]["openai"]
    assert (teacher["model"], teacher["api_key_env"]) == ("gpt-x", "MY_KEY")
    assert teacher["base_url"] == "https://api.openai.com/v1"
    url = "http://127.0.0.1:9/v1"
    assert choose_teacher(url, "m", None).params["teacher_batch"]["openai"] == {
        "base_url": url,
        "model": "m",
        "api_key_env": None,
    }


def test_an_unknown_preset_is_told() -> None:
    """The message names those there are, and a hub id gets the way to use it."""
    with pytest.raises(ParamsError, match=r"student 'x': not known; the students are embedded"):
        student_preset("x")
    with pytest.raises(ParamsError, match="--model Qwen/Qwen3-4B"):
        choose_student("Qwen/Qwen3-4B", None, "label")


TEXT = """\
# About.
a: 1  # one
b:
  c: two  # see
  d: {e: 1}
  f:  # of many lines
    - x
    g: 1

h: 3
"""


def test_values_are_replaced_and_comments_stay() -> None:
    """Texts, numbers, nulls and mappings, on one line or on many."""
    found = overlay(TEXT, {"a": 5e-5, "b": {"c": "yes", "f": {}}, "h": None})
    assert found == (
        '# About.\na: 5.0e-05  # one\nb:\n  c: "yes"  # see\n  d: {e: 1}\n'
        "  f: {}  # of many lines\nh: null\n"
    )
    assert yaml.safe_load(found)["a"] == 5e-5
    with pytest.raises(ParamsError, match=r"no such key b.x"):
        overlay(TEXT, {"b": {"x": 1}})


@pytest.mark.parametrize("value", ["a: b", "# no", "null", "1", "- x", "é", "a\nb", "{x", ""])
def test_any_text_is_read_back_unchanged(value: str) -> None:
    """What YAML would take for something else is quoted."""
    assert yaml.safe_load(overlay("a: 1\n", {"a": value})) == {"a": value}


def test_missing_settings_are_added_where_they_belong() -> None:
    """Whole sections and single keys, with comments; what is no setting, or inline, stays out."""
    template = (
        "a: 1\nb:\n  c: 2  # see\n  d: 3\n  own:\n    x: 1\n  e: {f: 1, g: 2}\n\nh:\n  i: 1\n"
    )
    mine = "a: 9\nb:\n  # mine\n  c: 7\n  own: {}\n  e: {f: 5}\n"
    found = add_missing(mine, template, lambda path: "own" not in path[:-1])
    assert found == ("a: 9\nb:\n  # mine\n  c: 7\n  d: 3\n  own: {}\n  e: {f: 5}\n\nh:\n  i: 1\n")
    assert add_missing(found, template, lambda path: "own" not in path[:-1]) == found
