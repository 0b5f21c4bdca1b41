"""Look for keys in what is about to be handed on."""

import re
from collections.abc import Sequence

# How the keys of common services look. A text that matches by chance stops the export: rather
# that than a key handed on.
_SHAPES = {
    "an API key (sk-...)": r"\bsk-(?=[\w-]*\d)(?=[\w-]*[A-Z])[\w-]{32,}",
    "a Hugging Face token": r"\bhf_[A-Za-z0-9]{30,}",
    "a GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36,}",
    "a GitHub access token": r"\bgithub_pat_\w{40,}",
    "an AWS key id": r"\bAKIA[0-9A-Z]{16}\b",
    "a Google API key": r"\bAIza[0-9A-Za-z_-]{35}",
    "a Slack token": r"\bxox[baprs]-[0-9A-Za-z-]{20,}",
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "an authorization header": r"\bBearer [A-Za-z0-9._~+/-]{24,}",
}
_PATTERNS = {name: re.compile(shape) for name, shape in _SHAPES.items()}
# A text without any of these has none of the shapes; looking for them costs next to nothing.
_MARKS = (
    *("sk-", "hf_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("AKIA", "AIza", "xox", "PRIVATE KEY", "Bearer "),
)
_MIN_VALUE = 8


class Secrets:
    """The values that must not be in a text, and the shapes of others."""

    def __init__(self, values: Sequence[str]) -> None:
        """Take the keys that are known; those of fewer than eight characters are none."""
        self._values = [value for value in values if len(value) >= _MIN_VALUE]

    def found_in(self, text: str) -> str | None:
        """Say what a text holds, without quoting it."""
        if any(value in text for value in self._values):
            return "the teacher's API key"
        if not any(mark in text for mark in _MARKS):
            return None
        return next((name for name, shape in _PATTERNS.items() if shape.search(text)), None)
