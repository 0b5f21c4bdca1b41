"""The gates' version is raised by hand: no change of what they find may go without it."""

import json

import pytest
from golden_gates import FILE, outputs

from llm2llm.leakage.gates import CODE_VERSION
from llm2llm.leakage.normalize import words

GOLDEN = json.loads(FILE.read_text(encoding="utf-8"))
NEXT = (
    "raise CODE_VERSION in llm2llm/leakage/gates.py if this is meant, then write the golden file"
    " anew with `python tests/golden_gates.py` and read its diff"
)


def differing() -> list[str]:
    """Name the parts of the gates' outputs that are not those of the golden file."""
    found = json.loads(json.dumps(outputs()))
    return sorted(name for name in GOLDEN.keys() | found.keys() if GOLDEN[name] != found[name])


def test_the_gates_find_what_their_version_found() -> None:
    """Certificates name the version, so other verdicts under one name would be a lie."""
    assert not differing(), f"{', '.join(differing())} of {CODE_VERSION} changed: {NEXT}"


def test_a_change_of_the_gates_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where words are split in another way, words and scores are told to differ."""
    monkeypatch.setattr("golden_gates.words", lambda text: words(text)[1:])
    assert differing() == ["closest", "words"]
    monkeypatch.setattr("golden_gates.CODE_VERSION", "gates-0")
    assert "version" in differing()


def test_the_golden_texts_reach_every_gate() -> None:
    """Each gate finds some text, and not only the test items themselves."""
    assert set(GOLDEN["closest"]) == {"exact", "coverage", "rouge", "masked"}
    for matches in GOLDEN["closest"].values():
        assert sum(match is not None for match in matches) > 14
