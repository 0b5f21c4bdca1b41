"""What a bundle's card says of the judge that graded free text."""

from collections.abc import Mapping
from typing import Any


def judged_told(task: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Write an item of the card's limits; empty where answers are compared."""
    if task["answer"]["kind"] != "free":
        return ""
    judge = (params.get("predict") or {}).get("judge") or {}
    section = judge.get(str(judge.get("backend")).replace("-", "_")) or {}
    return (
        "\n- Answers are free text: one that did not equal its seed's was wrong unless a judge, a"
        f" model (`{section.get('model', 'unnamed')}`), called it right. What it said of each is"
        " not in this bundle."
    )
