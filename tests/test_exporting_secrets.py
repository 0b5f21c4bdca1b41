"""Keys: each shape is found, its mark first, and ordinary text is none."""

import pytest

from llm2llm.exporting.secrets import _SHAPES, Secrets

KEYS = {
    "an API key (sk-...)": "sk-proj-" + "aB3" * 12,
    "a Hugging Face token": "hf_" + "aB3" * 11,
    "a GitHub token": "ghp_" + "aB3" * 12,
    "a GitHub access token": "github_pat_" + "aB3" * 14,
    "an AWS key id": "AKIA" + "ABCD" * 4,
    "a Google API key": "AIza" + "aB3-x" * 7,
    "a Slack token": "xoxb-" + "12345-abcd" * 3,
    "a private key": "-----BEGIN RSA PRIVATE KEY-----",
    "an authorization header": "Authorization: Bearer " + "aB3." * 8,
}


@pytest.mark.parametrize("name", list(_SHAPES))
def test_a_key_is_found_inside_a_text(name: str) -> None:
    """Whatever stands before and after it."""
    assert Secrets([]).found_in(f"before {KEYS[name]} after") == name


@pytest.mark.parametrize(
    "text",
    [
        "sk-learn-based-preprocessing-of-tabular-data",
        "The ghost_writer said hf_ is short",
        "Bearer of bad news",
        "AKIA is no key",
        "",
    ],
)
def test_ordinary_text_is_no_key(text: str) -> None:
    """A mark alone stops nothing."""
    assert Secrets([]).found_in(text) is None


def test_a_known_value_is_found_and_a_trifle_is_not() -> None:
    """The key of the run is looked for letter by letter; an unset or tiny one is not."""
    secrets = Secrets(["", "short", "a-long-enough-value"])
    assert secrets.found_in("x a-long-enough-value y") == "the teacher's API key"
    assert secrets.found_in("a short text") is None
