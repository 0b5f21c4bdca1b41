"""Screen candidates: parse, check validity, compare with the test set and the training side."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from llm2llm.duplicates import Item, Nearest, find_duplicates
from llm2llm.exceptions import CountError, LeakageCheckError
from llm2llm.ids import Json, example_id
from llm2llm.judge_certifying import Suspect, put_to_judge
from llm2llm.judging import Judge, Pair
from llm2llm.leakage.certificate import Outcome, certify, duplicate_cut, nearest_kept
from llm2llm.leakage.encoder import Encode
from llm2llm.leakage.gate import Near, Text
from llm2llm.leakage.gates import REASONS, LeakageGates, build_gates
from llm2llm.leakage.normalize import spaced
from llm2llm.leakage.planted import check_planted
from llm2llm.leakage.rouge import RougeIndex
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.parsing import Candidate
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept, Rejected
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import AnswerFormat, LeakagePolicy
from llm2llm.validity import Criteria, outvoted_reason, read_response, solution_text

_CHUNK = 1_000  # candidates between two steps of the progress bar


@dataclass(frozen=True, slots=True)
class Screened:
    """Every candidate, kept or rejected, each list in request order, and the certificate."""

    kept: list[Kept]
    rejected: list[Rejected]
    certificate: dict[str, Json]


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What stopped a candidate."""

    gate: str
    reason: str
    reference_id: str | None = None
    score: float | None = None


@dataclass(slots=True)
class _Row:
    """A candidate on its way through the gates; no candidate: an unparsable response."""

    response: Response
    position: int
    candidate: Candidate | None
    verdict: _Verdict | None = None
    nearest_train: Nearest | None = None

    def item(self) -> Item:
        assert self.candidate is not None
        return Item(example_id(self.candidate.input, self.candidate.target), self.candidate.input)


def screen(
    responses: Sequence[Response],
    examples: Sequence[Example],
    test: Sequence[SplitRow],
    rest: Sequence[SplitRow],
    *,
    criteria: Criteria,
    policy: LeakagePolicy,
    params: DedupeParams,
    on_progress: Callable[[int, int], None],
    encoder: tuple[Encode, str] | None = None,
    judge: Judge | None = None,
) -> Screened:
    """Put every candidate through the gates in order: the first that stops it gives the reason.

    Gate judge needs a `judge`, as gate embedding an encoder. Without responses the gates are built,
    tried on planted leaks and certified all the same. Raises LeakageCheckError where the check
    cannot vouch for its result, CountError where a candidate would be lost or doubled, TeacherError
    where an answer of the judge is to come.
    """
    if params.judging is not None and judge is None:
        raise LeakageCheckError(
            "gate judge: it is on and no judge was given, expected the one that"
            " `dedupe_against_test.judge` names; nothing was let through"
        )
    seeds = {
        example.example_id: Candidate(example.input, example.target)
        for example in examples
        if example.origin == "seed"
    }
    gates = build_gates(
        test, rest, [seed.input for seed in seeds.values()], policy, params, encoder
    )
    recall = check_planted(gates, test, params.n_planted)
    rows = _read(responses, seeds, criteria)
    _check_votes(_left(rows), responses, criteria.answer)
    left = _left(rows)
    grey_from = params.judging.asked_from if params.judging else None
    grey = _check_against_test(left, gates, test, grey_from, on_progress)
    judged = _ask(judge, grey, test, params.n_planted) if judge and params.judging else None
    cut = duplicate_cut(params)
    _check_for_duplicates(_left(rows), examples, cut)
    version = gates.version(cut, judge.settings if judge and params.judging else None)
    kept = _kept(_left(rows), test, version)
    rejected = [_rejected(row, row.verdict, version) for row in rows if row.verdict]
    _balance(responses, rows, kept, rejected)
    outcome = Outcome(
        n_candidates=sum(row.candidate is not None for row in rows),
        n_kept=len(kept),
        rejected_by_gate=Counter(row.gate for row in rejected),
        nearest=nearest_kept(kept),
        duplicates={
            "against": "the whole set so far, and earlier candidates that are no duplicates",
            "score": "ROUGE-L F",
            "rejected_above": cut,
        },
        judge=judged,
    )
    return Screened(kept, rejected, certify(gates, recall, test, policy, params, outcome))


def _left(rows: Sequence[_Row]) -> list[_Row]:
    return [row for row in rows if row.verdict is None]


def _read(
    responses: Sequence[Response], seeds: dict[str, Candidate], criteria: Criteria
) -> list[_Row]:
    rows = []
    for response in responses:
        if response.status != "answered" or response.purpose != "write":
            continue
        if response.seed_id not in seeds:
            raise CountError(
                f"request {response.request_id}: seed {response.seed_id} is not in the set, "
                "expected a seed; run `dvc repro --force` from teacher-batch on"
            )
        seed = seeds[response.seed_id]
        found = read_response(response.text or "", response.finish_reason, seed, criteria)
        for place, reading in enumerate(found):
            row = _Row(response, place, reading.candidate)
            if reading.gate and reading.reason:
                row.verdict = _Verdict(reading.gate, reading.reason)
            rows.append(row)
    return rows


def _check_votes(
    rows: Sequence[_Row], responses: Sequence[Response], answer_format: AnswerFormat
) -> None:
    """Reject what its solutions outvote; without solutions there was no vote."""
    solutions: dict[str, list[str | None]] = defaultdict(list)
    for response in responses:
        if response.about is not None:
            solutions[response.about].append(solution_text(response.text, response.finish_reason))
    for row in rows:
        texts = solutions.get(row.response.request_id)
        if texts and row.candidate is not None:
            reason = outvoted_reason(row.candidate, texts, answer_format)
            row.verdict = _Verdict("vote", reason) if reason else None


def _check_against_test(
    rows: Sequence[_Row],
    gates: LeakageGates,
    test: Sequence[SplitRow],
    grey_from: float | None,
    on_progress: Callable[[int, int], None],
) -> list[tuple[_Row, Near]]:
    """Reject what a gate stops; gives the rows that are grey, each with its test items."""
    grey: list[tuple[_Row, Near]] = []
    for start in range(0, len(rows), _CHUNK):
        chunk = rows[start : start + _CHUNK]
        texts = [Text(row.candidate.input, row.candidate.target) for row in chunk if row.candidate]
        sifted = gates.sift(texts, grey_from)
        for row, flag, near in zip(chunk, sifted.flags, sifted.grey, strict=True):
            if near is not None:
                grey.append((row, near))
            if flag is not None:
                reference_id = test[flag.reference].example_id
                row.verdict = _Verdict(flag.gate, REASONS[flag.gate], reference_id, flag.score)
        on_progress(start + len(chunk), len(rows))
    return grey


def _ask(
    judge: Judge, grey: Sequence[tuple[_Row, Near]], test: Sequence[SplitRow], n_planted: int
) -> dict[str, Json]:
    """Reject what the judge does not clear; gives what is to be certified of it."""
    suspects = [_suspect(row.item(), near, test) for row, near in grey]
    decided, certified = put_to_judge(judge, suspects, test, n_planted)
    for (row, _), each in zip(grey, decided, strict=True):
        if each.judgment.opinion != "no":
            pair = each.pair
            row.verdict = _Verdict(
                "judge", each.judgment.reason, pair.reference.example_id, pair.score
            )
    return certified


def _suspect(item: Item, near: Near, test: Sequence[SplitRow]) -> Suspect:
    pairs = [
        Pair(item.example_id, item.input, test[match.reference], match.score)
        for match in near.matches
    ]
    return Suspect(tuple(pairs), near.n_beyond)


def _check_for_duplicates(rows: Sequence[_Row], examples: Sequence[Example], cut: float) -> None:
    items = [Item(example.example_id, example.input) for example in examples]
    for row, nearest in zip(
        rows, find_duplicates([row.item() for row in rows], items, cut), strict=True
    ):
        row.nearest_train = nearest
        if nearest.reason is not None:
            row.verdict = _Verdict("duplicate", nearest.reason, nearest.reference_id, nearest.score)


def _kept(rows: Sequence[_Row], test: Sequence[SplitRow], version: str) -> list[Kept]:
    index = RougeIndex(spaced(row.input) for row in test)
    matches = index.nearest([spaced(row.item().input) for row in rows], 0)
    kept = []
    for row, match in zip(rows, matches, strict=True):
        assert row.candidate is not None and row.nearest_train is not None
        kept.append(
            Kept(
                example_id=row.item().example_id,
                seed_id=row.response.seed_id,
                request_id=row.response.request_id,
                input=row.candidate.input,
                target=row.candidate.target,
                gate_version=version,
                nearest_test_id=test[match.reference].example_id if match else None,
                nearest_test_score=match.score if match else None,
                nearest_train_id=row.nearest_train.reference_id,
                nearest_train_score=row.nearest_train.score,
            )
        )
    return kept


def _rejected(row: _Row, verdict: _Verdict, version: str) -> Rejected:
    return Rejected(
        request_id=row.response.request_id,
        seed_id=row.response.seed_id,
        position=row.position,
        input=row.candidate.input if row.candidate else None,
        target=row.candidate.target if row.candidate else None,
        gate=verdict.gate,
        reason=verdict.reason,
        reference_id=verdict.reference_id,
        score=verdict.score,
        gate_version=version,
    )


def _balance(
    responses: Sequence[Response],
    rows: Sequence[_Row],
    kept: Sequence[Kept],
    rejected: Sequence[Rejected],
) -> None:
    answered = Counter(
        r.request_id for r in responses if r.status == "answered" and r.purpose == "write"
    )
    doubled = [request_id for request_id, n in answered.items() if n > 1]
    if doubled:
        raise CountError(
            f"request {doubled[0]} was answered {answered[doubled[0]]} times, expected once; "
            "run `dvc repro --force` from teacher-batch on"
        )
    outcomes = {row.request_id for row in kept} | {row.request_id for row in rejected}
    if outcomes != answered.keys():
        raise CountError(
            f"{len(outcomes)} of {len(answered)} answered requests have an outcome, expected all; "
            "report this as a fault of llm2llm"
        )
    if len(kept) + len(rejected) != len(rows):
        raise CountError(
            f"{len(rows)} candidates and unparsable responses, {len(kept)} kept and "
            f"{len(rejected)} rejected, which should add up; report this as a fault of llm2llm"
        )
