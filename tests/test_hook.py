"""A task's own Python function: run only as the file that the task names, and never half right."""

import os
import py_compile
import sys
from pathlib import Path

import pytest
import yaml

from llm2llm.answers import equal, extract
from llm2llm.exceptions import ParamsError
from llm2llm.grading import RIGHT, UNPARSABLE, WRONG, grade
from llm2llm.ids import sha256_file
from llm2llm.params.loading import load_section
from llm2llm.tasks import hook
from llm2llm.tasks.sections import AnswerFormat, Task
from llm2llm.tasks.templates import check_task

ROOT = Path(__file__).resolve().parents[1]
ROMAN = """
ROMAN = {"I": 1, "II": 2, "III": 3, "IV": 4, "V": 5}

def read(text):
    text = text.strip().upper()
    if text in ROMAN:
        return str(ROMAN[text])
    return text if text.isdigit() else None
"""


def task_file(folder: Path, code: str = ROMAN, **changes: str) -> Path:
    """Write a task whose answers a file beside it reads."""
    (folder / "reading.py").write_text(code, encoding="utf-8")
    task = yaml.safe_load((ROOT / "llm2llm/tasks/trec.yaml").read_text(encoding="utf-8"))
    hook = {"function": "reading.py:read", "sha256": sha256_file(folder / "reading.py")}
    task["answer"] = {"kind": "python", "pattern": None, "labels": None, "hook": hook | changes}
    path = folder / "task.yaml"
    path.write_text(yaml.safe_dump(task), encoding="utf-8")
    return path


def load(folder: Path, code: str = ROMAN, **changes: str) -> AnswerFormat:
    """Load the answer section of such a task."""
    return load_section(task_file(folder, code, **changes), "answer", AnswerFormat)


@pytest.mark.parametrize(
    ("gold", "text", "verdict"),
    [("4", "iv", RIGHT), ("IV", "4", RIGHT), ("4", "V", WRONG), ("4", "four", UNPARSABLE)],
)
def test_a_hook_reads_gold_and_answer_alike(
    tmp_path: Path, gold: str, text: str, verdict: str
) -> None:
    """The same function reads both sides, and None is unparsable."""
    assert grade(load(tmp_path), gold, text).verdict == verdict


def test_a_hook_lies_beside_the_task_wherever_that_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is found from another working directory, and no path is part of the section."""
    spec = load(tmp_path)
    monkeypatch.chdir("/")
    assert extract(spec, "II") == "2"
    assert str(tmp_path) not in str(spec.model_dump())


def test_a_hook_may_be_an_installed_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`module:function` is found as Python finds modules."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "roman_numerals.py").write_text(ROMAN, encoding="utf-8")
    spec = load(tmp_path, function="roman_numerals:read")
    assert equal(spec, "iii", "3")
    assert "roman_numerals" not in sys.modules


def test_other_code_needs_another_number_in_the_task(tmp_path: Path) -> None:
    """An edit of the code is refused until the section, which DVC watches, names it."""
    spec = load(tmp_path)
    assert extract(spec, "V") == "5"
    edited = ROMAN.replace('"V": 5', '"V": 6')
    hook._load.cache_clear()  # as another process would start
    stale = load(tmp_path, edited, sha256=spec.hook.sha256)
    with pytest.raises(ParamsError, match=sha256_file(tmp_path / "reading.py")):
        extract(stale, "V")
    assert extract(load(tmp_path, edited), "V") == "6"


def test_code_of_the_same_second_is_the_code_that_runs(tmp_path: Path) -> None:
    """Bytecode that Python kept of an earlier file of the same size and time is not taken."""
    path = tmp_path / "reading.py"
    spec = load(tmp_path)
    assert extract(spec, "V") == "5"
    py_compile.compile(str(path))
    stat = path.stat()
    edited = load(tmp_path, ROMAN.replace('"V": 5', '"V": 6'))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert extract(edited, "V") == "6"


@pytest.mark.parametrize(
    ("code", "changes", "message"),
    [
        (ROMAN, {"function": "other.py:read"}, "there is no file"),
        (ROMAN, {"function": "no.such.module:read"}, "no module no.such.module is installed"),
        (ROMAN, {"function": "reading.py:grade"}, "has no function grade"),
        (ROMAN, {"function": "reading.py:ROMAN"}, "has no function ROMAN"),
        (ROMAN, {"sha256": ""}, "set that"),
        ("def read(text:", {}, "cannot be imported [(]SyntaxError"),
        ("raise KeyError('x')", {}, "cannot be imported [(]KeyError"),
    ],
)
def test_validate_tells_of_a_hook_that_cannot_be(
    tmp_path: Path, code: str, changes: dict[str, str], message: str
) -> None:
    """Each fault is one problem of the task, found before any work."""
    path = task_file(tmp_path, code, **changes)
    task = Task.model_validate(
        yaml.safe_load(path.read_text(encoding="utf-8")), context={"folder": tmp_path}
    )
    (problem,) = check_task(task)
    assert problem.startswith("`answer.hook")
    with pytest.raises(ParamsError, match=message):
        raise ParamsError(problem)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 5", "gave 5 for 'V', expected text"),
        ("return ' '", "expected text, or None"),
        ("return text + '!'", "reads 'V' as 'V!' and that as 'V!!'"),
        ("return {}[text]", "failed on 'V' [(]KeyError: 'V'[)]"),
    ],
)
def test_a_hook_that_does_not_hold_what_it_promises_stops_the_grading(
    tmp_path: Path, body: str, message: str
) -> None:
    """No verdict comes of a function that fails or disagrees with itself."""
    spec = load(tmp_path, f"def read(text):\n    {body}\n")
    with pytest.raises(ParamsError, match=message):
        extract(spec, "V")


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "python", "hook": None},
        {"kind": "text", "hook": {"function": "a.py:read", "sha256": ""}},
        {"kind": "python", "hook": {"function": "a.py", "sha256": ""}},
        {"kind": "python", "hook": {"function": "a.py:no name", "sha256": ""}},
        {"kind": "python", "hook": {"function": "a.py:read"}},
    ],
)
def test_a_section_names_a_hook_exactly_where_it_needs_one(changes: dict) -> None:
    """A hook without its kind, a kind without its hook and half a hook are refused."""
    with pytest.raises(ValueError, match=r"hook|function|sha256"):
        AnswerFormat.model_validate({"pattern": None, "labels": None} | changes)
