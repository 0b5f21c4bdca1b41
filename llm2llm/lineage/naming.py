"""Name in full what is to be withdrawn."""

from collections.abc import Iterable
from pathlib import Path

from llm2llm.exceptions import DataError
from llm2llm.lineage.finding import (
    RejectedCandidate,
    cleaned,
    find_example,
    find_seed,
    nearest,
    newest_set,
    only,
    parent_of_edit,
)
from llm2llm.lineage.run import Run, columns, open_run
from llm2llm.params.exclude import Exclusion
from llm2llm.records.decisions import DECISIONS
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.reviewing.decisions import parents, read_decisions


def resolve(root: Path, given: Iterable[tuple[str, str, float | None]]) -> list[Exclusion]:
    """Name in full what kinds and starts of ids mean; raises DataError where one means nothing.

    What is named more than once is listed once. The reason is left empty.
    """
    run = open_run(root)
    whole = dict.fromkeys((kind, _whole(run, kind, name), above) for kind, name, above in given)
    return [
        Exclusion.model_validate({kind: name, "above": above, "reason": ""})
        for kind, name, above in whole
    ]


def _whole(run: Run, kind: str, given: str) -> str:
    if kind == "seed":
        return find_seed(run, given).example_id
    if kind == "example":
        return _example(run, given)
    if kind != "teacher":
        given = cleaned(given)
    if kind == "test_item":
        ids = columns(run.split("test"), SplitRow, "example_id").column(0).to_pylist()
        start = "ex-" + given.removeprefix("ex-")
        if name := only(given, [each for each in ids if each.startswith(start)]):
            return name
        raise DataError(f"{given}: no test item has this id; {nearest(given, ids)}")
    column = {"prompt": "prompt_sha256", "teacher": "teacher"}[kind]
    table = columns(run.examples(newest_set(run)), Example, column)
    known = [name for name in table.column(0).unique().to_pylist() if name is not None]
    if name := only(given, [each for each in known if each.startswith(given)]):
        return name
    raise DataError(f"{given!r}: no example is of such a {kind}; {nearest(given, known, start='')}")


def _example(run: Run, given: str) -> str:
    decisions = read_decisions(run.root / DECISIONS)
    found = find_example(run, parent_of_edit(run, given, parents(decisions)) or given)
    if isinstance(found, RejectedCandidate):
        raise DataError(
            f"{found.candidate_id}: a rejected candidate, in no set: nothing is to be withdrawn;"
            f" `llm2llm explain {found.candidate_id}` tells why it was rejected"
        )
    ids = columns(run.split("seed"), SplitRow, "example_id").column(0).to_pylist()
    if found.example_id in ids:
        raise DataError(
            f"{found.example_id}: a seed, whose text stands in what was asked about it;"
            f" `--seed {found.example_id}` withdraws it with all that was written for it"
        )
    return found.example_id
