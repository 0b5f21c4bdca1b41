"""Put edited examples through what every example had to pass: validity, leakage, duplicates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm2llm.duplicates import Item, find_duplicates
from llm2llm.exceptions import LeakageCheckError
from llm2llm.exporting.contained import ContainedTexts
from llm2llm.files import read_records
from llm2llm.leakage.certificate import duplicate_cut
from llm2llm.leakage.encoder import Encode, load_encoder
from llm2llm.leakage.gate import Text
from llm2llm.leakage.gates import REASONS, LeakageGates, build_gates
from llm2llm.lineage.run import Run
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.params.loading import load_section, load_value
from llm2llm.parsing import Candidate
from llm2llm.records.decisions import ACCEPT, DECISIONS, Decision
from llm2llm.records.examples import Example
from llm2llm.records.split import SplitRow
from llm2llm.reviewing.decisions import edited_id, read_decisions
from llm2llm.streaming import RecordFile
from llm2llm.tasks.sections import LeakagePolicy
from llm2llm.validity import Criteria, invalid_reason, load_criteria


@dataclass(frozen=True, slots=True)
class Fault:
    """What keeps an edit from being taken, and which of its two texts, input or target."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Decisions whose edits hold; `gate_version` let them through, null where there are none."""

    decisions: Mapping[str, Decision]
    gate_version: str | None


def reviewed(run: Run, number: int) -> Reviewed:
    """Read the decisions of a project, and check the edits of set `number` again.

    Raises DataError where the file does not hold, LeakageCheckError where an edit does not.
    """
    decisions = read_decisions(run.root / DECISIONS)
    faults, version = check_edits(run, number, decisions)
    if faults:
        lines = [f"{DECISIONS}: {name}: {fault.reason}" for name, fault in sorted(faults.items())]
        raise LeakageCheckError(
            "\n".join(lines) + "\nnothing is exported; decide again with `llm2llm review import`,"
            " or take the line out"
        )
    return Reviewed(decisions, version)


def check_edits(
    run: Run, number: int, decisions: Mapping[str, Decision]
) -> tuple[dict[str, Fault], str | None]:
    """Give what is wrong with the edits of examples of a set, and the version of the gates.

    Without edits no gate is built, and the version is null. Near-duplicates are looked for among
    what the decisions leave in the set, the edits before it included.
    """
    edits = {name: each for name, each in decisions.items() if each.input is not None}
    if not edits:
        return {}, None
    seeds: dict[str, Candidate] = {}
    parents: dict[str, Example] = {}
    others: list[Item] = []
    ids: set[str] = set()
    for example in RecordFile(run.examples(number), Example):
        ids.add(example.example_id)
        if example.origin == "seed":
            seeds[example.example_id] = Candidate(example.input, example.target)
        found = decisions.get(example.example_id)
        if found is not None and found.input is not None and example.origin != "seed":
            parents[example.example_id] = example
        elif found is None or found.decision == ACCEPT:
            others.append(Item(example.example_id, example.input))
    params = load_section(run.root / "params.yaml", "dedupe_against_test", DedupeParams)
    task = run.root / str(load_value(run.root / "params.yaml", "task", str))
    test = read_records(run.split("test"), SplitRow)
    gates = build_gates(
        test,
        read_records(run.split("rest"), SplitRow),
        [seed.input for seed in seeds.values()],
        load_section(task, "leakage", LeakagePolicy),
        params,
        _encoder(params),
    )
    texts = {name: _edited(edits[name]) for name in parents}
    faults = _invalid(texts, parents, seeds, load_criteria(task))
    faults |= _doubled(_left(edits, texts, faults), ids, others, duplicate_cut(params))
    left = [name for name in texts if name not in faults]
    for name, reason in _leaks(gates, [texts[name] for name in left], test, params, left):
        faults[name] = Fault(_changed(texts[name], parents[name]), reason)
    return faults, gates.version(duplicate_cut(params))


def _encoder(params: DedupeParams) -> tuple[Encode, str] | None:
    if "embedding" not in params.gates:
        return None
    return load_encoder(params.embedding.encoder, params.embedding.revision)


def _edited(decision: Decision) -> Candidate:
    return Candidate(decision.input or "", decision.target or "")


def _changed(text: Candidate, parent: Example) -> str:
    return "target" if text.input == parent.input else "input"


def _invalid(
    texts: Mapping[str, Candidate],
    parents: Mapping[str, Example],
    seeds: Mapping[str, Candidate],
    criteria: Criteria,
) -> dict[str, Fault]:
    faults = {}
    for name, text in texts.items():
        seed = seeds[parents[name].seed_id]
        reason = invalid_reason(text, seed, criteria.answer, criteria.validity)
        if reason is not None:
            faults[name] = Fault("input" if reason.startswith("the input") else "target", reason)
    return faults


def _left(
    edits: Mapping[str, Decision], texts: Mapping[str, Candidate], faults: Mapping[str, Fault]
) -> list[tuple[str, Item]]:
    return [
        (name, Item(edited_id(edits[name]) or "", text.input))
        for name, text in texts.items()
        if name not in faults
    ]


def _doubled(
    edited: Sequence[tuple[str, Item]], ids: set[str], others: Sequence[Item], cut: float
) -> dict[str, Fault]:
    faults = {
        name: Fault("input", f"is an example of the set already, {item.example_id}")
        for name, item in edited
        if item.example_id in ids
    }
    left = [(name, item) for name, item in edited if name not in faults]
    nearest = find_duplicates([item for _, item in left], others, cut)
    for (name, _), near in zip(left, nearest, strict=True):
        if near.reason is not None:
            score = "" if near.score is None else f" (ROUGE-L {near.score:.2f})"
            faults[name] = Fault("input", f"{near.reason}, {near.reference_id}{score}")
    return faults


def _leaks(
    gates: LeakageGates,
    texts: Sequence[Candidate],
    test: Sequence[SplitRow],
    params: DedupeParams,
    names: Sequence[str],
) -> list[tuple[str, str]]:
    """Name the edits that a gate stops, or that hold a test item, which the export looks for."""
    grey_from = params.judging.asked_from if params.judging else None
    sifted = gates.sift([Text(text.input, text.target) for text in texts], grey_from)
    contained = ContainedTexts([row.input for row in test])
    found = []
    for name, text, flag, grey in zip(names, texts, sifted.flags, sifted.grey, strict=True):
        places = [contained.find(each) for each in (text.input, text.target)]
        held = next((place for place in places if place is not None), None)
        if flag is not None:
            item = test[flag.reference].example_id
            reason = f"gate {flag.gate}: {REASONS[flag.gate]}, {item} (score {flag.score:.2f})"
            found.append((name, reason))
        elif held is not None:
            found.append((name, f"is or holds test item {test[held].example_id}"))
        elif grey is not None:
            item = test[grey.matches[0].reference].example_id
            reason = f"is near test item {item} in meaning, and edits are not put to the judge"
            found.append((name, reason))
    return found
