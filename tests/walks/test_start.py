"""docs/start.md and docs/start-worked-answers.md, from the built wheel in an empty environment.

`make test-walks REAL_DATA=FOLDER` runs these; FOLDER holds gsm8k/ and trec/ with train.jsonl in the
published fields (question and answer; text and label).
"""

import pytest
from built_wheel import ROOT
from walking import Walk, locked

pytestmark = pytest.mark.timeout(1500)


def test_what_is_installed_was_tested(installed: list[dict[str, str]]) -> None:
    """Whatever follows torch has its locked version, is not for CUDA, and leaves torch alone."""
    with_torch, *_, everything = installed
    assert everything["torch"] == with_torch["torch"]
    names = ("requirements.lock", "requirements-encoder.lock")
    lock = {
        name: version
        for file in names
        for name, version in locked((ROOT / file).read_text(encoding="utf-8").splitlines()).items()
    }
    added = {name: v for name, v in everything.items() if name not in with_torch}
    assert added.pop("llm2llm")
    assert len(added) > 50
    assert {name: v for name, v in added.items() if lock.get(name) != v} == {}
    assert [name for name in added if name.startswith(("nvidia", "cuda", "triton"))] == []


def test_a_classifier_from_a_spreadsheet(walk: Walk) -> None:
    """start.md: every command does what it says, from a CSV to a bundle."""
    walk.shell.run(". .venv/bin/activate")
    walk.page("start.md")


def test_worked_answers_from_parquet(walk: Walk) -> None:
    """start-worked-answers.md: GSM8K's problems through the symbolic teacher to a bundle."""
    walk.page("start-worked-answers.md")
