"""Count why what a teacher said brings no example, and stop where nothing of it does."""

import re
from collections import Counter

from llm2llm.ledger.database import Entry
from llm2llm.teacher.protocol import BAD_REQUEST, TeacherStoppedError

_MOST_REASONS = 3
_LONGEST_REASON = 120
_LONGEST_EXCERPT = 100
# Of a teacher that fails every second time, so many in a row fail once in a million runs.
_ENOUGH = 20
# A teacher that brought examples before may still fail at the seeds that are left.
_ENOUGH_OF_PROVEN = 100
# All of a smaller round say enough where the set has no example of a teacher yet.
_ENOUGH_OF_ALL = 10
# What differs from answer to answer with the same fault.
_DETAIL = re.compile(r"\d+|(?<!field )'[^']*'|\"[^\"]*\"|\(.*")


class Fruitless:
    """Reasons by how many answers or failures they kept from being an example.

    `stops` says whether a teacher that brings nothing at all is stopped; `is_proven` that the set
    has examples of a teacher already.
    """

    def __init__(self, *, stops: bool, is_proven: bool) -> None:
        self._stops = stops
        self._is_proven = is_proven
        self._counts: Counter[str] = Counter()
        self._told: dict[str, str] = {}
        self._first: dict[str, Entry] = {}

    def add(self, reason: str, entry: Entry | None = None) -> None:
        """Count a reason; raises TeacherStoppedError where so far nothing else has come."""
        kind = _DETAIL.sub("...", reason)
        self._counts[kind] += 1
        self._told.setdefault(kind, _shortened(reason, _LONGEST_REASON))
        if entry is None:
            return
        self._first.setdefault(kind, entry)
        self._check(_ENOUGH_OF_PROVEN if self._is_proven else _ENOUGH)

    def pass_one(self) -> None:
        """Note that an answer passed: from now on nothing is stopped."""
        self._stops = False

    def end_round(self) -> None:
        """Look at the first round as a whole: what comes later stops nothing."""
        self._check(_ENOUGH_OF_PROVEN if self._is_proven else _ENOUGH_OF_ALL)
        self._stops = False

    def in_words(self) -> str:
        """List the commonest reasons with their counts; empty where there are none."""
        common = self._counts.most_common(_MOST_REASONS)
        n_more = self._counts.total() - sum(n for _, n in common)
        told = [f"{n} x {self._told[kind]}" for kind, n in common]
        return "; ".join([*told, *([f"{n_more} x other reasons"] if n_more else [])])

    def _check(self, enough: int) -> None:
        # An endpoint that takes no request at all is the sender's to tell of.
        counts = Counter(
            {kind: n for kind, n in self._counts.items() if not kind.startswith(BAD_REQUEST)}
        )
        n = counts.total()
        if not self._stops or n < enough:
            return
        [(kind, n_so)] = counts.most_common(1)
        first = self._first[kind]
        said = "" if first.text is None else f": {_shortened(first.text, _LONGEST_EXCERPT)!r}"
        raise TeacherStoppedError(
            f"none of the first {n} answers holds an example, {n_so} of them as"
            f" {self._told[kind]}, such as request {first.request_id}{said}. What was paid is in"
            " the ledger; look at the task's prompt with `llm2llm preview --ask`, and at the"
            " teacher's `max_tokens` and `response_format` in params.yaml, and run `dvc repro`"
            " again, or set `runtime.stop_when_all_fail: false` to go on with them as they are"
        )


def _shortened(text: str, most: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else f"{flat[: most - 3]}..."
