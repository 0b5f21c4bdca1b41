"""Ask the teacher about the seeds that the student got wrong."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from llm2llm.exceptions import CountError, DataError, ParamsError
from llm2llm.fruitless import Fruitless
from llm2llm.ids import canonical_json
from llm2llm.ledger.database import Entry
from llm2llm.params.contradictions import vote_problems
from llm2llm.parsing import Candidate
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.responses import NO_ANSWER, Response
from llm2llm.tasks.sections import TeacherPrompt
from llm2llm.tasks.templates import check_prompt
from llm2llm.teacher.protocol import TeacherRequest
from llm2llm.teacher.requests import Requests
from llm2llm.teacher.sends import Sends
from llm2llm.teacher_prompts import ask_to_solve, ask_to_write, prompt_sha256
from llm2llm.validity import Criteria, Reading, outvoted_reason, read_response, solution_text

_STATUSES = ("answered", "failed")
_MOST_NAMED = 5
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class Asking:
    """How a stage asks: requests for one seed at most, votes on each answer, and the run's seed.

    With `solves` above 0 every answer that passes the checks is solved so many times by the
    teacher, and asked for again unless more than half agree with it. With `stops` a teacher whose
    first answers all bring nothing is not asked further.
    """

    prompt: TeacherPrompt
    criteria: Criteria
    attempts: int
    solves: int
    random_seed: int
    iteration: int
    stops: bool = False


def ask_teacher(
    errors: Sequence[SeedError],
    examples: Sequence[Example],
    how: Asking,
    make_sender: Callable[[], Sends],
    say: Callable[[str], None],
) -> Iterator[Response]:
    """Ask about each error with `ask`; rows come in the errors' order, each by draw, then votes.

    An answer that cannot be read, is cut off or fails a check is asked for again, as the next
    draw, up to `attempts` in all; a failed request is not. With nothing to ask no sender is made.
    `say` gets lines for people: further rounds, the counts, seeds that came away with nothing.
    Rows are read back from the ledger, so that few are in memory at a time. Raises ParamsError for
    a template that does not hold, TeacherError where a request stays without an outcome, or where
    none of many brings an example.
    """
    asked = [error for error in errors if error.ask]
    if not asked:
        return
    problems = check_prompt(how.prompt) + vote_problems(how.solves, how.prompt, how.criteria.answer)
    if problems:
        raise ParamsError("\n".join(problems))
    seeds, earlier = _seeds(asked, examples), _earlier(examples)
    yield from _Rounds(asked, seeds, earlier, how, make_sender(), say).run()


class _Rounds:
    """All rounds about some errors; a number names an error, or an error's solution."""

    def __init__(
        self,
        asked: Sequence[SeedError],
        seeds: Mapping[str, Candidate],
        earlier: Mapping[str, list[str]],
        how: Asking,
        sender: Sends,
        say: Callable[[str], None],
    ) -> None:
        self._asked = asked
        self._numbers = {error.seed_id: number for number, error in enumerate(asked)}
        self._seeds = seeds
        self._earlier = earlier
        self._how = how
        self._sender = sender
        self._say = say
        self._n_draws = array("q", [0]) * len(asked)
        self._unanswered: set[tuple[int, int]] = set()
        # Candidates to solve, by error and attempt: only those that passed the checks.
        self._solved: dict[tuple[int, int], Candidate] = {}
        self._unsolved: set[tuple[int, int, int]] = set()
        # Errors whose last answer failed the checks, or that got none.
        self._without: set[int] = set(range(len(asked)))
        self._n_rows: Counter[str] = Counter()
        self._fruitless = Fruitless(stops=how.stops, is_proven=bool(earlier))

    def run(self) -> Iterator[Response]:
        """Ask in rounds, then read the rows."""
        pending: Sequence[int] = range(len(self._asked))
        for attempt in range(self._how.attempts):
            if attempt > 0:
                self._say(f"attempt {attempt + 1} of {self._how.attempts} for {len(pending)} seeds")
            passed, again = self._write(pending, attempt)
            self._fruitless.end_round()
            if self._how.solves and passed:
                self._say(f"{self._how.solves} solutions of each of {len(passed)} new problems")
                again += self._vote(passed, attempt)
            pending = sorted(again)
            self._without |= set(pending)
            if not pending:
                break
        yield from self._rows()
        counted = " + ".join(f"{self._n_rows[status]} {status}" for status in _STATUSES)
        self._say(f"{self._n_rows.total()} requests = {counted}")
        if reasons := self._fruitless.in_words():
            self._say(f"brought no example: {reasons}")
        if self._without:
            named = [self._asked[number].seed_id for number in sorted(self._without)]
            more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
            loud = "warning: " if len(named) == len(self._asked) else ""
            self._say(
                f"{loud}{len(named)} of {len(self._asked)} seeds are left without an answer that"
                f" passes the checks: {', '.join(named[:_MOST_NAMED])}{more};"
                " `llm2llm blame SEED` tells"
            )

    def _write(
        self, pending: Sequence[int], attempt: int
    ) -> tuple[dict[int, Candidate], list[int]]:
        """Ask for examples: gives the candidates that pass, and the errors to ask about again."""
        passed: dict[int, Candidate] = {}
        again: list[int] = []

        def judge(request: TeacherRequest, entry: Entry) -> None:
            if entry.text is None:
                self._fruitless.add(entry.failure or "no reason", entry)
                return
            number = self._numbers[request.seed_id]
            reading = self._read(entry, request.seed_id)
            candidate = reading.candidate
            if candidate is None or reading.reason is not None:
                again.append(number)
                self._fruitless.add(reading.reason or "no candidate", entry)
                return
            self._fruitless.pass_one()
            self._without.discard(number)
            if self._how.solves:
                passed[number] = candidate

        requests = Requests(pending, lambda number: self._request(number, attempt))
        missing = self._sender.send(requests, judge)
        self._unanswered |= {(number, attempt) for number in missing}
        for number in pending:
            self._n_draws[number] += 1
        return passed, again

    def _read(self, entry: Entry, seed_id: str) -> Reading:
        """Read what an answer brought first, which alone can pass the checks."""
        assert entry.text is not None
        seed = self._seeds[seed_id]
        return read_response(entry.text, entry.finish_reason, seed, self._how.criteria)[0]

    def _vote(self, passed: Mapping[int, Candidate], attempt: int) -> list[int]:
        """Have candidates solved: gives the errors whose candidate was outvoted."""
        k = self._how.solves
        texts: dict[int, list[str | None]] = defaultdict(list)

        def collect(request: TeacherRequest, entry: Entry) -> None:
            texts[self._numbers[request.seed_id]].append(
                solution_text(entry.text, entry.finish_reason)
            )

        self._solved |= {(number, attempt): candidate for number, candidate in passed.items()}
        numbers = array("q", [n * k + draw for n in sorted(passed) for draw in range(k)])
        make = lambda number: self._solution(number // k, attempt, number % k)  # noqa: E731
        missing = self._sender.send(Requests(numbers, make), collect)
        self._unsolved |= {(number // k, attempt, number % k) for number in missing}
        outvoted = [
            number
            for number, candidate in passed.items()
            if outvoted_reason(
                candidate,
                texts[number] + [None] * (k - len(texts[number])),
                self._how.criteria.answer,
            )
        ]
        for _ in outvoted:
            self._fruitless.add("too few solutions agree with its answer")
        return outvoted

    def _request(self, number: int, attempt: int) -> TeacherRequest:
        error = self._asked[number]
        request = ask_to_write(
            error,
            self._seeds[error.seed_id],
            self._earlier.get(error.seed_id, []),
            prompt=self._how.prompt,
            draw=error.n_requests + attempt,
            random_seed=self._how.random_seed,
            target_fields=self._how.criteria.answer.fields,
        )
        return self._sender.name(request)

    def _solution(self, number: int, attempt: int, draw: int) -> TeacherRequest:
        assert self._how.prompt.solve is not None
        request = ask_to_solve(
            self._solved[number, attempt],
            self._request(number, attempt),
            template=self._how.prompt.solve,
            draw=draw,
        )
        return self._sender.name(request)

    def _rows(self) -> Iterator[Response]:
        """Make the rows from the ledger, some at a time."""
        waiting: list[tuple[TeacherRequest, bool]] = []
        seen: set[str] = set()
        for made in self._all():
            waiting.append(made)
            if len(waiting) == _CHUNK:
                yield from self._outcomes(waiting, seen)
                waiting = []
        yield from self._outcomes(waiting, seen)

    def _all(self) -> Iterator[tuple[TeacherRequest, bool]]:
        """Yield every request that was made, and whether it has an outcome."""
        for number in range(len(self._asked)):
            for attempt in range(self._n_draws[number]):
                yield self._request(number, attempt), (number, attempt) not in self._unanswered
                for draw in range(self._how.solves if (number, attempt) in self._solved else 0):
                    solution = self._solution(number, attempt, draw)
                    solved = (number, attempt, draw) not in self._unsolved
                    yield solution, solved

    def _outcomes(
        self, made: Sequence[tuple[TeacherRequest, bool]], seen: set[str]
    ) -> Iterator[Response]:
        entries = self._sender.find(request.request_id for request, _ in made)
        for request, has_outcome in made:
            entry = entries.get(request.request_id)
            if (has_outcome and entry is None) or request.request_id in seen:
                raise CountError(
                    f"{request.request_id} (seed {request.seed_id}, draw {request.draw}) was sent"
                    f" {'twice' if entry else 'but has no outcome'}; expected each request once,"
                    " answered or failed: report this as a fault of llm2llm"
                )
            seen.add(request.request_id)
            row = self._row(request, entry)
            self._n_rows[row.status] += 1
            yield row

    def _row(self, request: TeacherRequest, entry: Entry | None) -> Response:
        return Response(
            request_id=request.request_id,
            seed_id=request.seed_id,
            iteration=self._how.iteration,
            purpose=request.purpose,
            about=request.about,
            draw=request.draw,
            status=entry.status if entry else "failed",
            text=entry.text if entry else None,
            finish_reason=entry.finish_reason if entry else None,
            failure=entry.failure if entry else NO_ANSWER,
            request=canonical_json(self._sender.describe(request)),
            prompt_sha256=prompt_sha256(self._how.prompt),
            teacher=entry.teacher if entry else None,
            n_prompt_tokens=entry.n_prompt_tokens if entry else None,
            n_completion_tokens=entry.n_completion_tokens if entry else None,
        )


def _seeds(asked: Sequence[SeedError], examples: Sequence[Example]) -> dict[str, Candidate]:
    twice = [seed_id for seed_id, n in Counter(error.seed_id for error in asked).items() if n > 1]
    if twice:
        raise CountError(f"errors: seed {twice[0]} occurs more than once; run `dvc repro --force`")
    seeds = {e.example_id: Candidate(e.input, e.target) for e in examples if e.origin == "seed"}
    unknown = [error.seed_id for error in asked if error.seed_id not in seeds]
    if unknown:
        raise DataError(
            f"errors: seed {unknown[0]} is not among the {len(seeds)} seeds of the set; the two"
            " files are of different runs: run `dvc repro`"
        )
    return seeds


def _earlier(examples: Sequence[Example]) -> dict[str, list[str]]:
    """Gather the inputs of the examples that each seed already gave, oldest first."""
    found: dict[str, list[str]] = defaultdict(list)
    for example in examples:
        if example.origin != "seed":
            found[example.seed_id].append(example.input)
    return found
