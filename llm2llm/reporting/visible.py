"""Make characters visible that could hide or reorder what a person reads."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

MAX_CHARACTERS = 20_000

# Controls but tab and newline; soft hyphen; Arabic letter mark; zero width but the joiners that
# scripts and emoji need; direction marks, embeddings, overrides, isolates; line separators; word
# joiner and invisible operators; byte order mark; annotations; tags. page.js has the same set.
_HIDDEN = re.compile(
    r"[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e"
    r"\u2060-\u206f\ufeff\ufff9-\uffff\U000e0000-\U000e0fff]"
)


def visible(text: str) -> "Markup":
    """Escape a text for HTML; hidden characters stand as their code point, long texts are cut."""
    from markupsafe import Markup, escape

    shown = text[:MAX_CHARACTERS]
    parts, start = [], 0
    for match in _HIDDEN.finditer(shown):
        parts += [escape(shown[start : match.start()]), _code(match.group())]
        start = match.end()
    parts.append(escape(shown[start:]))
    if len(text) > len(shown):
        left = len(text) - len(shown)
        parts.append(Markup('<span class="code">{} more characters</span>').format(f"{left:,}"))
    return Markup("").join(parts)


def _code(character: str) -> "Markup":
    from markupsafe import Markup

    return Markup('<span class="code">U+{}</span>').format(f"{ord(character):04X}")
