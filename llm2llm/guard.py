"""The first line of a project's stage: run by the code that the project was made for, or not."""

from pathlib import Path

from llm2llm.exceptions import MachineError
from llm2llm.installed import listing_of, require_listed
from llm2llm.stage import say

SITE = Path(__file__).resolve().parents[1]


def guard(script: str) -> None:
    """Leave with one message where the installed code is not what the stage's listing says."""
    listing = listing_of(Path(script).stem.replace("_", "-"))
    try:
        require_listed(listing, SITE)
    except FileNotFoundError:
        say(f"error: {listing}: no such file; `llm2llm upgrade` writes it, in the project's root")
        raise SystemExit(MachineError.exit_code) from None
    except MachineError as failure:
        say(f"error: {failure}")
        raise SystemExit(failure.exit_code) from None
