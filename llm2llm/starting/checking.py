"""Faults of a task's rows and labels that would only show as a poor student."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from rapidfuzz.distance import DamerauLevenshtein

from llm2llm.answers import canonical
from llm2llm.labels import labels_in
from llm2llm.leakage.normalize import exact_keys, fold
from llm2llm.quantities import number
from llm2llm.records.split import SplitRow
from llm2llm.starting.gathering import same_question
from llm2llm.tasks.sections import Task

_SHOWN = 5
# Shorter labels that differ in one letter, such as `A1` and `A2`, are meant to.
_FEWEST_LETTERS = 5
# Signs that are not here, as in C and C++, tell labels apart.
_PUNCTUATION = re.compile(r"[\s.,;:!?'\"()\[\]_/-]+")


def row_problems(
    task: Task, train: Sequence[SplitRow], test: Sequence[SplitRow], names: tuple[str, str]
) -> list[str]:
    """List what is wrong, one line each; `names` are the files of train and test rows."""
    return [
        *_lacking(task, train, test, names),
        *near_labels(task.answer.labels or [], _first_places(task, train, test, names)),
        *_contradictions(train, test, names),
        *_in_both(train, test, names),
        *_too_long(task, train, names[0]),
    ]


def near_labels(labels: Sequence[str], places: Mapping[str, str]) -> Iterator[str]:
    """Yield pairs of labels that differ in case, spaces, punctuation or a letter only.

    `places` says how many rows have a label and which is the first.
    """
    for one, other in combinations(sorted(labels), 2):
        bare = [_PUNCTUATION.sub("", fold(label).casefold()) for label in (one, other)]
        letters = all(len(key) >= _FEWEST_LETTERS and key.isalpha() for key in bare)
        if number(one) != number(other):
            continue  # -1 and 1
        if bare[0] == bare[1] and bare[0]:
            how = "differ in case, spaces or punctuation only"
        elif letters and DamerauLevenshtein.distance(*bare) == 1:
            how = "differ in one letter"
        else:
            continue
        found = "".join(f"; {name!r}: {places[name]}" for name in (one, other) if name in places)
        yield (
            f"the labels {one!r} and {other!r} {how}{found}; make them one in your own file and run"
            " `llm2llm init` again, or rename one if both are meant"
        )


def _first_places(
    task: Task, train: Sequence[SplitRow], test: Sequence[SplitRow], names: tuple[str, str]
) -> dict[str, str]:
    """Tell for each label how many rows have it, and where the first stands."""
    first: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name, rows in zip(names, (train, test), strict=True):
        for row in rows:
            for label in _labels(task, row):
                first.setdefault(label, f"{name}:{row.source_row}")
                counts[label] += 1
    told = {label: f"{counts[label]} rows, first {place}" for label, place in first.items()}
    by_label = {label: canonical(task.answer, label) for label in task.answer.labels or []}
    return {label: told[key] for label, key in by_label.items() if key in told}


def _lacking(
    task: Task, train: Sequence[SplitRow], test: Sequence[SplitRow], names: tuple[str, str]
) -> Iterator[str]:
    if task.answer.labels is None:
        return
    known = {label for row in train for label in _labels(task, row)}
    found = Counter(label for row in test for label in _labels(task, row) if label not in known)
    for label, n in sorted(found.items()):
        yield (
            f"{names[1]}: {n} rows have the label {label!r}, which no row of {names[0]} has; add"
            " train rows with it, or leave those test rows out"
        )
    for label in task.answer.labels:
        if canonical(task.answer, label) not in known | set(found):
            yield f"the task's label {label!r} is in no row; take it out, or add rows with it"


def _labels(task: Task, row: SplitRow) -> set[str]:
    return labels_in(task.answer, row.answer) if task.answer.kind == "labels" else {row.answer}


def _contradictions(
    train: Sequence[SplitRow], test: Sequence[SplitRow], names: tuple[str, str]
) -> Iterator[str]:
    seen: dict[str, tuple[str, SplitRow]] = {}
    found = []
    for name, rows in zip(names, (train, test), strict=True):
        for row in rows:
            file, first = seen.setdefault(same_question(row.input), (name, row))
            if first.answer != row.answer:
                found.append(
                    f"{name}:{row.source_row}: the text of {file}:{first.source_row} with another"
                    f" answer, {row.answer!r} in place of {first.answer!r}; decide on one"
                )
    yield from _first(found)


def _in_both(
    train: Sequence[SplitRow], test: Sequence[SplitRow], names: tuple[str, str]
) -> Iterator[str]:
    places = {exact_keys(row.input)[0]: row.source_row for row in test}
    yield from _first(
        f"{names[0]}:{row.source_row}: the test item of {names[1]}:{places[key]}; take it out of"
        " one of them (`subsample.drop_leaked` keeps it from being trained on)"
        for row in train
        if (key := exact_keys(row.input)[0]) in places
    )


def _too_long(task: Task, train: Sequence[SplitRow], name: str) -> Iterator[str]:
    limits = {
        "max_input_chars": (task.validity.max_input_chars, [len(row.input) for row in train]),
        "max_target_chars": (task.validity.max_target_chars, [len(row.target) for row in train]),
    }
    for key, (limit, lengths) in limits.items():
        longer = [row for row, length in zip(train, lengths, strict=True) if length > limit]
        if longer:
            yield (
                f"{name}:{longer[0].source_row}: longer than `validity.{key}` ({limit}), as"
                f" {len(longer)} rows are: no example like them would be kept; raise it to"
                f" {max(lengths)}"
            )


def _first(found: Iterator[str] | Sequence[str]) -> Iterator[str]:
    every = list(found)
    yield from every[:_SHOWN]
    if every[_SHOWN:]:
        yield f"{len(every) - _SHOWN} more rows like the {_SHOWN} above"
