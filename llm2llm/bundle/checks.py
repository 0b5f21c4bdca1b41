"""What a check of a bundle says: nothing, or the first of its problems with their number."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from llm2llm.exceptions import DataError

_N_NAMED = 20
_OTHER_COLUMN = re.compile(r"\w+: found .+, expected .+")


@dataclass(frozen=True, slots=True)
class Problem:
    """What does not hold, and in which file of the bundle."""

    file: str
    problem: str


@dataclass(frozen=True, slots=True)
class Check:
    """One check; it passed if it found no problem. `problems` names the first of them."""

    name: str
    about: str
    n_problems: int
    problems: list[Problem]


def run_check(name: str, about: str, found: Iterable[Problem]) -> Check:
    """Go through the problems of a check; a file that cannot be read on is one more."""
    source = _until_unreadable(name, iter(found))
    problems = list(islice(source, _N_NAMED))
    return Check(name, about, len(problems) + sum(1 for _ in source), problems)


def _until_unreadable(name: str, found: Iterator[Problem]) -> Iterator[Problem]:
    try:
        yield from found
    except (DataError, ValueError, OSError) as failure:
        # A changed byte can make a file unreadable halfway; its hash has told so already.
        yield Problem(f"check {name}", f"cannot be finished: {for_receivers(failure)}")
    except (AttributeError, KeyError, TypeError) as failure:
        # Another's JSON file can have any shape, and only what is looked at is of interest.
        yield Problem(
            f"check {name}", f"cannot be finished: a JSON file has not its form: {failure}"
        )


def for_receivers(failure: Exception) -> str:
    """Word a failure for somebody without the project: advice to run DVC is left out.

    Of a table with other columns than its record's the first is told.
    """
    if isinstance(failure, OSError) and failure.filename is not None:
        return f"{failure.filename}: {(failure.strerror or str(failure)).lower()}"
    what, *advice = str(failure).split("; ")
    kept = [part for part in advice if "`dvc " not in part]
    columns = [part for part in kept if _OTHER_COLUMN.fullmatch(part)]
    if columns:
        more = f" (and {len(columns) - 1} more columns)" if columns[1:] else ""
        return f"{what}; {columns[0]}{more}; another program wrote it: get the bundle again"
    return "; ".join([what, *kept])
