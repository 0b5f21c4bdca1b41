"""Read labels, sets of labels and choices, whichever way a model writes them."""

import re
import unicodedata

from llm2llm.tasks.sections import AnswerFormat


def one_label(labels: list[str], text: str) -> str | None:
    """Match one label: the whole text, else the only label that occurs in it as a word."""
    if text in labels:
        return text
    folded: dict[str, list[str]] = {}
    for label in labels:
        folded.setdefault(_fold(label), []).append(label)
    text = _fold(text)
    named = {text} if text in folded else _words(list(folded), text)
    if len(named) != 1:
        return None
    meant = folded[named.pop()]
    return meant[0] if len(meant) == 1 else None


def _fold(text: str) -> str:
    """Undo case, and whether accents are written as one character with their letter or two."""
    return unicodedata.normalize("NFC", text.casefold())


def label_set(spec: AnswerFormat, text: str) -> str | None:
    """Match a set of labels, each part as one label is; written in the task's order of labels.

    A part that is no label, or could be two, makes the whole unreadable; empty parts do not count.
    """
    labels = spec.labels or []
    parts = [part.strip() for part in spec.parts(text)]
    found = {one_label(labels, part) for part in parts if part}
    if not found or None in found:
        return None
    between = ", " if spec.separator is None else spec.separator
    return between.join(label for label in dict.fromkeys(labels) if label in found)


def labels_in(spec: AnswerFormat, answer: str | None) -> set[str]:
    """Take a readable set apart; of none the set is empty."""
    written = None if answer is None else label_set(spec, answer)
    return set() if written is None else {part.strip() for part in spec.parts(written)}


def _words(labels: list[str], text: str) -> set[str]:
    # The longest first, so that a label inside another label does not count as a second one.
    ordered = sorted(labels, key=lambda label: (-len(label), label))
    alternatives = "|".join(re.escape(label) for label in ordered)
    return set(re.findall(rf"(?<!\w)(?:{alternatives})(?!\w)", text)) if alternatives else set()


_CHOICE = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+)?(?:answer|option|choice)(?:\s+is)?\s*:?\s*)?(.*)"
)


def choice(labels: list[str], text: str) -> str | None:
    """Match one choice: its label, or the letter of its position, as `B`, `(b)`, `B) ...`.

    A letter counts as a position only where no label is a single letter; digits never do, as some
    count from 0 and some from 1.
    """
    names = {_fold(label): label for label in labels}
    if not any(len(label) == 1 and label.isalpha() for label in labels):
        names = {chr(ord("a") + i): label for i, label in enumerate(labels[:26])} | names
    folded = " ".join(_fold(text).split())
    if folded in names:
        return names[folded]
    found = _CHOICE.fullmatch(folded)
    rest = found[1] if found else folded
    alternatives = "|".join(re.escape(name) for name in sorted(names, key=lambda n: (-len(n), n)))
    if not alternatives:
        return None
    marked = re.match(rf"(?:\(({alternatives})\)|({alternatives})(?:[).:]|$))(?![0-9])", rest)
    return names[marked[1] or marked[2]] if marked else None
