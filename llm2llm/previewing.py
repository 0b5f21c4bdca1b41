"""Show what the teacher is asked about a few seeds, and what it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from llm2llm.answer_judge_quoting import quote_answer_judge
from llm2llm.answer_judging import AnswerJudge, Claim
from llm2llm.answers import extract
from llm2llm.estimating import Amount, n_prompt_tokens
from llm2llm.exceptions import ParamsError, TeacherError
from llm2llm.generation import ask_teacher
from llm2llm.ledger.database import Entry, Ledger
from llm2llm.lineage.progress import Status, status
from llm2llm.parsing import Candidate
from llm2llm.pending import PARAMS, Listening, Teaching, ToAsk, is_done, n_asking, to_ask
from llm2llm.records.examples import Example
from llm2llm.teacher.backends import FREE
from llm2llm.teacher.protocol import Message, TeacherRequest
from llm2llm.teacher.sends import Sends
from llm2llm.validity import Criteria, Reading, read_response

# Stands where the student's wrong answer will stand.
STAND_IN = "(here stands the student's wrong answer)"


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request, and how it reads; `cost` is null where it is not known."""

    status: str
    text: str | None
    finish_reason: str | None
    failure: str | None
    n_prompt_tokens: int | None
    n_completion_tokens: int | None
    cost: float | None
    readings: list[Reading]


@dataclass(frozen=True, slots=True)
class Shown:
    """One request as it is sent; `answered` is null where the ledger holds no outcome.

    `n_tokens` estimates the prompt at four bytes a token.
    """

    request_id: str
    seed_id: str
    draw: int
    messages: list[Message]
    n_tokens: int
    answered: Answered | None


@dataclass(frozen=True, slots=True)
class ShownJudging:
    """What the judge of free text is asked about one seed, and `most` of it all.

    A stand-in takes the place of the student's answer.
    """

    seed_id: str
    messages: list[Message]
    n_tokens: int
    free: bool
    most: Amount


@dataclass(frozen=True, slots=True)
class Preview:
    """The first requests of an iteration; with `known` false their wrong answers are stand-ins.

    `n_asked` counts the seeds that the iteration asks about, `answered` says that it has its
    answers already. Asking a `free` backend costs nothing. `failure` says why some of the requests
    that were sent have no answer. `judging` is null for answers that are compared.
    """

    iteration: int
    known: bool
    answered: bool
    n_asked: int
    free: bool
    requests: list[Shown]
    failure: str | None
    judging: ShownJudging | None


def preview(
    root: Path,
    store: Path,
    teaching: Teaching,
    ledger: Ledger,
    make_sender: Callable[[int], Sends],
    answer_judge: AnswerJudge | None = None,
    *,
    iteration: int | None,
    n: int,
    ask: bool,
) -> Preview:
    """Render the requests about an iteration's first `n` errors, and with `ask` send them.

    They are made as the stage makes them: of an iteration whose errors are known they are the
    stage's own, so that what is asked now is not asked again. `iteration` null is the first
    without answers; `make_sender` is told the iteration. Where the teacher cannot go on the rest
    is shown, with the failure.
    """
    found = status(root, store)
    chosen, answered, asked = _chosen(root, found, iteration)
    sender = Listening(make_sender(chosen), send_on=ask)
    some = [error for error in asked.errors if error.ask]
    how = teaching.asking(chosen, attempts=1, solves=0)
    failure = None
    try:
        for _row in ask_teacher(some[:n], asked.examples, how, lambda: sender, lambda _text: None):
            pass
    except TeacherError as stopped:
        # The message is the stage's own, which a run of the pipeline begins.
        failure = str(stopped).replace("`dvc repro`", "`llm2llm preview --ask`")
    seeds = {each.example_id: Candidate(each.input, each.target) for each in asked.examples}
    shown = [
        _shown(request, sender.entries.get(request.request_id), seeds, teaching.criteria)
        for request in sender.requests
    ]
    free = teaching.params.backend in FREE
    judging = None
    if answer_judge is not None:
        judging = _judging(root, found, teaching, ledger, answer_judge, asked.examples)
    return Preview(chosen, asked.known, answered, len(some), free, shown, failure, judging)


def _judging(
    root: Path,
    found: Status,
    teaching: Teaching,
    ledger: Ledger,
    judge: AnswerJudge,
    examples: Sequence[Example],
) -> ShownJudging:
    seeds = [example for example in examples if example.origin == "seed"]
    reference = extract(teaching.criteria.answer, seeds[0].target) or ""
    claim = Claim(seeds[0].example_id, seeds[0].input, reference, STAND_IN)
    request = judge.request(claim)
    quoted, _ = quote_answer_judge(root, found, teaching, ledger, judge, len(seeds))
    return ShownJudging(
        request.seed_id,
        list(request.messages),
        n_prompt_tokens(request),
        quoted.free,
        quoted.most,
    )


def _chosen(root: Path, found: Status, iteration: int | None) -> tuple[int, bool, ToAsk]:
    last = n_asking(root) - 1
    if iteration is not None and not 0 <= iteration <= last:
        raise ParamsError(
            f"--iteration: found {iteration}, expected 0 to {last}, as `iterations` in"
            f" {root / PARAMS} is {last + 1}"
        )
    done = [is_done(found, k, "teacher-batch") for k in range(last + 1)]
    if iteration is None:
        iteration = done.index(False) if False in done else last
    return iteration, done[iteration], to_ask(root, found, iteration, _stand_in)


def _stand_in(_seed: Example) -> str:
    return STAND_IN


def _shown(
    request: TeacherRequest, entry: Entry | None, seeds: dict[str, Candidate], criteria: Criteria
) -> Shown:
    answered = None
    if entry is not None:
        readings = []
        if entry.text is not None:
            seed = seeds[request.seed_id]
            readings = read_response(entry.text, entry.finish_reason, seed, criteria)
        answered = Answered(
            entry.status,
            entry.text,
            entry.finish_reason,
            entry.failure,
            entry.n_prompt_tokens,
            entry.n_completion_tokens,
            entry.cost,
            readings,
        )
    return Shown(
        request.request_id,
        request.seed_id,
        request.draw,
        list(request.messages),
        n_prompt_tokens(request),
        answered,
    )
