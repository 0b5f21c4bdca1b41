"""Split rows into train, dev and test: a group stays together, labels keep their shares."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from llm2llm.exceptions import DataError
from llm2llm.grading import RIGHT, Accuracy, accuracy
from llm2llm.seeding import stream
from llm2llm.starting.gathering import LeftOut, RawRow, counted

SHARES = {"train": 0.6, "dev": 0.1, "test": 0.3}
# A larger test set would cost time and win little: at 2,000 rows the interval is 4 points wide.
MOST_TEST, MOST_DEV = 2_000, 500
FEWEST_ROWS = 30
_WRONG = "wrong"


def split_rows(
    rows: Sequence[RawRow],
    *,
    stratified: bool,
    random_seed: int,
    shares: dict[str, float],
    labels_of: Callable[[str], Iterable[str]] | None = None,
) -> dict[str, list[RawRow]]:
    """Give the rows of each split named in `shares`, in file order.

    Rows without a group make one with those of the same letters and digits, as a leakage check
    takes them for the same. Each group goes where its label lacks rows most; the first group of a
    label goes to train, so that every label of a test row is one that the student has seen.
    `labels_of` takes a target apart; without it the target is the label, if `stratified`. Raises
    DataError where the groups leave no test rows.
    """
    if labels_of is None:
        labels_of = _whole if stratified else _nothing
    seen: set[str] = set()
    units: dict[str, list[RawRow]] = {}
    for row in rows:
        name = f"group {row.group}" if row.group else f"text {row.same_text}"
        units.setdefault(name, []).append(row)
    strata: dict[str, list[list[RawRow]]] = {}
    for unit in units.values():
        strata.setdefault(unit[0].target if stratified else "", []).append(unit)
    chosen: dict[str, list[RawRow]] = {name: [] for name in shares}
    total: Counter[str] = Counter()
    # Rare labels first: what they shift is made up for by the common ones.
    for label in sorted(strata, key=lambda name: (len(strata[name]), name)):
        here: Counter[str] = Counter()
        order = sorted(strata[label], key=lambda unit: unit[0].line)
        stream(random_seed, "init", "split", label).shuffle(order)
        for place, unit in enumerate(order):
            n = sum(here.values()) + len(unit)
            n_all = sum(total.values()) + len(unit)
            lacking = {
                name: (
                    round(share * n - here[name], 9),
                    round(share * n_all - total[name], 9),
                    name,
                )
                for name, share in shares.items()
            }
            new = {label for row in unit for label in labels_of(row.target)} - seen
            if new or place == 0:
                to = "train"
                seen |= new
            else:
                to = max(lacking, key=lambda name: lacking[name])
            chosen[to] += unit
            here[to] += len(unit)
            total[to] += len(unit)
    if shares["test"] and not chosen["test"]:
        raise DataError(
            f"--group: {len(units)} groups hold the {len(rows)} rows, and none is left for the test"
            " set; take a column with more values, or give a test file with --test"
        )
    return {name: sorted(found, key=lambda row: row.line) for name, found in chosen.items()}


def _whole(target: str) -> Iterable[str]:
    return (target,)


def _nothing(_: str) -> Iterable[str]:
    return ()


def shares_for(n: int, *, with_test: bool, left_out: Sequence[LeftOut] = ()) -> dict[str, float]:
    """Say which share of n rows each split gets; `with_test` is false where a test file is given.

    Raises DataError for too few rows, which tells what was left out.
    """
    besides = f" (besides {len(left_out)} left out: {counted(left_out)})" if left_out else ""
    if with_test and n < FEWEST_ROWS:
        raise DataError(
            f"{n} rows{besides} are too few to split into seeds, dev and test, expected at least"
            f" {FEWEST_ROWS} (better 150); label more, or give a test file with --test"
        )
    if n < 2:
        raise DataError(f"{n} rows to train on{besides}, expected at least 2; label more")
    dev = min(SHARES["dev"], MOST_DEV / n) if n >= FEWEST_ROWS else 0.0
    test = min(SHARES["test"], MOST_TEST / n) if with_test else 0.0
    return {"train": 1 - dev - test, "dev": dev, "test": test}


def interval_at(n_test: int, share: float) -> Accuracy:
    """Give the 95 % interval of an accuracy of `share` on so many test rows."""
    n_right = round(share * n_test)
    return accuracy([RIGHT] * n_right + [_WRONG] * (n_test - n_right))
