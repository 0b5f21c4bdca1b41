"""Say before it is spent what the teacher will cost: a bound, and what is to be expected."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from llm2llm.answer_judge_quoting import quote_answer_judge
from llm2llm.answer_judging import AnswerJudge
from llm2llm.budget_left import Left, beyond, left_of, prices_of
from llm2llm.estimating import (
    BYTES_PER_TOKEN,
    NO_TOKENS,
    Amount,
    Size,
    add_up,
    amount,
    sizes,
)
from llm2llm.generation import ask_teacher
from llm2llm.judge_quoting import ASSUMPTION, JudgeQuote, quote_judge
from llm2llm.judging import Judge
from llm2llm.ledger.database import Ledger
from llm2llm.lineage.progress import Status, status
from llm2llm.pending import Listening, Teaching, ToAsk, n_asking, seeds_as_errors, to_ask
from llm2llm.records.examples import Example
from llm2llm.teacher.backends import FREE
from llm2llm.teacher.sends import Sends


@dataclass(frozen=True, slots=True)
class IterationQuote:
    """What one iteration still sends, at most and as expected.

    With `known` the student's errors are there, and `n_asked` counts those whose answers are not;
    else it is an assumption. `n_held` requests have their outcome in the ledger.
    """

    iteration: int
    known: bool
    n_asked: int
    n_held: int
    most: Amount
    expected: Amount


@dataclass(frozen=True, slots=True)
class Quote:
    """What the rest of a run asks of the teacher; `assumptions` say what is not known.

    A `free` backend costs nothing and has no budget. `judge`, of near candidates, and
    `answer_judge`, of free text, are null where they are off; both are part of `most` and
    `expected`. `beyond_budget` names the limits that the expected amount exceeds.
    """

    backend: str
    free: bool
    iterations: list[IterationQuote]
    most: Amount
    expected: Amount
    judge: JudgeQuote | None
    answer_judge: JudgeQuote | None
    left: Left
    beyond_budget: list[str]
    assumptions: list[str]


@dataclass(frozen=True, slots=True)
class _Counts:
    """Requests that write and that solve, at most and as expected."""

    most: tuple[float, float]
    expected: tuple[float, float]


def quote(
    root: Path,
    store: Path,
    teaching: Teaching,
    ledger: Ledger,
    make_sender: Callable[[int], Sends],
    judge: Judge | None = None,
    answer_judge: AnswerJudge | None = None,
    found: Status | None = None,
) -> Quote:
    """Quote the rest of the run in `root`; nothing is sent. `make_sender` is told an iteration.

    `found` is the run as it stands, or as it would stand once something is withdrawn.
    Iterations whose errors are known are gone through as the stage does, with the answers that
    the ledger holds; what comes after answers that are missing is an assumption. Raises ParamsError
    where neither a teacher nor a judge of answers is ever asked.
    """
    found = found or status(root, store)
    # A run without augmentations asks no teacher, and still has its students' answers judged.
    n = found.n_iterations if answer_judge else n_asking(root)
    rounds: list[Listening] = []
    for i in range(max(n, 1)):
        asked = to_ask(root, found, i, _target)
        if not asked.known or not n:
            break
        rounds.append(_look_up(asked, teaching, make_sender(i)))
        if rounds[-1].missing:
            break
    assumptions: list[str] = []
    prices = None if teaching.params.backend in FREE else prices_of(teaching.runtime)
    n_seeds = sum(example.origin == "seed" for example in asked.examples)
    iterations = []
    if n:
        size = _sizes(asked, teaching, ledger, make_sender(asked.iteration), assumptions)
        per_seed = _writes_per_seed(rounds, teaching, assumptions)
        n_wrong = n_seeds if len(rounds) == n else _n_wrong(found, n_seeds, assumptions)
    for i in range(n):
        if i < len(rounds):
            n_asked = len({request.seed_id for request in rounds[i].missing})
            counts = _known(rounds[i], teaching, per_seed)
        else:
            n_asked, counts = n_wrong, _assumed(n_seeds, n_wrong, teaching, per_seed)
        iterations.append(
            IterationQuote(
                iteration=i,
                known=i < len(rounds),
                n_asked=n_asked,
                n_held=len(rounds[i].entries) if i < len(rounds) else 0,
                most=amount(*counts.most, *size, prices, most=True),
                expected=amount(*counts.expected, *size, prices, most=False),
            )
        )
    judged = graded = None
    if judge:
        judged = quote_judge(root, found, teaching, judge, n_seeds)
        assumptions.append(ASSUMPTION)
    if answer_judge:
        graded, told = quote_answer_judge(root, found, teaching, ledger, answer_judge, n_seeds)
        assumptions += told
    judges = [each for each in (judged, graded) if each]
    quoted: list[IterationQuote | JudgeQuote] = [*iterations, *judges]
    expected = add_up(each.expected for each in quoted)
    pays = prices is not None or any(not each.free for each in judges)
    left = left_of(teaching.runtime, ledger) if pays else Left(None, None, None)
    _note_backend(teaching, assumptions)
    return Quote(
        backend=teaching.params.backend,
        free=prices is None,
        iterations=iterations,
        most=add_up(each.most for each in quoted),
        expected=expected,
        judge=judged,
        answer_judge=graded,
        left=left,
        beyond_budget=beyond(expected, left),
        assumptions=assumptions,
    )


def _target(seed: Example) -> str:
    return seed.target


def _look_up(asked: ToAsk, teaching: Teaching, sender: Sends) -> Listening:
    listening = Listening(sender, send_on=False)
    params = teaching.params
    how = teaching.asking(asked.iteration, attempts=params.attempts, solves=params.solves)
    for _row in ask_teacher(asked.errors, asked.examples, how, lambda: listening, _unsaid):
        pass
    return listening


def _unsaid(_text: str) -> None:
    return None


def _sizes(
    asked: ToAsk, teaching: Teaching, ledger: Ledger, sender: Sends, assumptions: list[str]
) -> tuple[Size, Size]:
    """Measure the first requests about the errors, or about all seeds where none is wrong."""
    if not any(error.ask for error in asked.errors):
        errors = seeds_as_errors(asked.examples, {}, asked.iteration, _target)
        asked = replace(asked, errors=errors)
    listening = Listening(sender, send_on=False)
    how = teaching.asking(asked.iteration, attempts=1, solves=0)
    for _row in ask_teacher(asked.errors, asked.examples, how, lambda: listening, _unsaid):
        pass
    if teaching.params.backend == "symbolic":
        return NO_TOKENS, NO_TOKENS
    write, solve, measured = sizes(
        listening.requests,
        teaching.prompt,
        teaching.criteria.validity.max_input_chars,
        sender,
        ledger,
    )
    assumptions.append(
        f"a token of a prompt is {BYTES_PER_TOKEN} bytes as expected, a byte at most, and no"
        " prompt to write is longer than those that can be rendered now; to solve, none holds an"
        " input beyond `validity.max_input_chars`"
    )
    assumptions.append(
        "an answer takes as many tokens as this model's in the ledger did"
        if measured
        else "an answer takes as many tokens as its seed: the ledger has none of this model"
    )
    return write, solve


def _writes_per_seed(rounds: list[Listening], teaching: Teaching, assumptions: list[str]) -> float:
    """Average the requests to write that a seed took, where all its answers are there."""
    n_writes = n_seeds = 0
    for each in rounds:
        missing = {request.seed_id for request in each.missing}
        writes = [r.seed_id for r in each.requests if r.purpose == "write"]
        done = [seed_id for seed_id in writes if seed_id not in missing]
        n_writes += len(done)
        n_seeds += len(set(done))
    if not n_seeds:
        assumptions.append("every answer passes its checks at the first attempt")
        return 1.0
    mean = n_writes / n_seeds
    assumptions.append(f"a seed takes {mean:.2f} attempts, as {n_seeds} in the ledger did")
    return min(mean, teaching.params.attempts)


def _n_wrong(found: Status, n_seeds: int, assumptions: list[str]) -> int:
    """Expect as many wrong seeds as the newest student has."""
    for each in reversed(found.iterations):
        if each.n_seeds_right is not None and each.n_seeds:
            n_wrong = each.n_seeds - each.n_seeds_right
            assumptions.append(
                f"every further student gets {n_wrong} of {each.n_seeds} seeds wrong, as student"
                f" {each.iteration} does"
            )
            return n_wrong
    assumptions.append(f"every student gets all {n_seeds} seeds wrong: none has answered yet")
    return n_seeds


def _known(each: Listening, teaching: Teaching, per_seed: float) -> _Counts:
    """Count what the seeds of a round lack: a further attempt, or solutions of the last one."""
    attempts, solves = teaching.params.attempts, teaching.params.solves
    lacking = {purpose: Counter[str]() for purpose in ("write", "solve")}
    for request in each.missing:
        lacking[request.purpose][request.seed_id] += 1
    begun = Counter(request.seed_id for request in each.requests if request.purpose == "write")
    most_write = most_solve = expected_write = 0.0
    for seed_id in lacking["write"].keys() | lacking["solve"].keys():
        # What is missing of an attempt is the first thing to ask for.
        left = attempts - begun[seed_id] + lacking["write"][seed_id]
        most_write += left
        most_solve += left * solves + lacking["solve"][seed_id]
        if lacking["write"][seed_id]:
            expected_write += min(per_seed, left)
    n_solve = len(lacking["write"]) * solves + lacking["solve"].total()
    return _Counts((most_write, most_solve), (expected_write, n_solve))


def _assumed(n_seeds: int, n_wrong: int, teaching: Teaching, per_seed: float) -> _Counts:
    attempts, solves = teaching.params.attempts, teaching.params.solves
    most = n_seeds * attempts
    return _Counts((most, most * solves), (n_wrong * per_seed, n_wrong * solves))


def _note_backend(teaching: Teaching, assumptions: list[str]) -> None:
    if teaching.params.replay:
        assumptions.append(
            "`teacher_batch.replay` is true: nothing is sent, and the stage stops for what is"
            " counted here"
        )
    if teaching.params.backend == "openai-batch":
        assumptions.append("batches under way count as not sent yet")
