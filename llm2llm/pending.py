"""What teacher-batch is about to ask, from the files of a run as they are."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from llm2llm.exceptions import ParamsError
from llm2llm.files import read_records
from llm2llm.generation import Asking
from llm2llm.ids import Json
from llm2llm.leakage.exact import find_leaked
from llm2llm.ledger.database import Entry
from llm2llm.lineage.progress import DONE, Status
from llm2llm.lineage.run import Run, open_run
from llm2llm.params.contradictions import judge_problems, teaching_problems
from llm2llm.params.exclude import SetsParams
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.measuring import MeasuringParams
from llm2llm.params.runtime import RuntimeParams
from llm2llm.params.subsample import SubsampleParams
from llm2llm.params.teacher_batch import TeacherBatchParams
from llm2llm.raw import read_raw
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.state import SeedState
from llm2llm.subsampling import first_set, subsample
from llm2llm.tasks.sections import AnswerFormat, Fields, TeacherPrompt
from llm2llm.tasks.templates import check_prompt
from llm2llm.teacher.protocol import TeacherRequest
from llm2llm.teacher.requests import Requests
from llm2llm.teacher.sends import Sends
from llm2llm.validity import Criteria, load_criteria

PARAMS = "params.yaml"


@dataclass(frozen=True, slots=True)
class Teaching:
    """The params of a project that say what the teacher is asked, and how."""

    params: TeacherBatchParams
    runtime: RuntimeParams
    prompt: TeacherPrompt
    criteria: Criteria
    random_seed: int

    def asking(self, iteration: int, *, attempts: int, solves: int) -> Asking:
        """Say how an iteration asks, as the stage does but for the two counts."""
        return Asking(self.prompt, self.criteria, attempts, solves, self.random_seed, iteration)


@dataclass(frozen=True, slots=True)
class ToAsk:
    """What an iteration asks about.

    With `known` false no student has answered yet: every seed of the newest set there is stands
    in as an error.
    """

    iteration: int
    known: bool
    errors: list[SeedError]
    examples: list[Example]


def load_teaching(root: Path) -> Teaching:
    """Read the params of the project in `root`; raises ParamsError with all that contradicts."""
    params = root / PARAMS
    task = root / load_value(params, "task", str)
    teaching = Teaching(
        load_section(params, "teacher_batch", TeacherBatchParams),
        load_section(params, "runtime", RuntimeParams),
        load_section(task, "teacher", TeacherPrompt),
        load_criteria(task),
        load_value(params, "random_seed", int),
    )
    answer = teaching.criteria.answer
    told = teaching_problems(teaching.params, teaching.runtime, teaching.prompt, answer)
    told += judge_problems(answer, load_section(params, "predict", MeasuringParams))
    problems = [f"{params}: {line}" for line in told]
    problems += [f"{task}: {line}" for line in check_prompt(teaching.prompt)]
    if problems:
        raise ParamsError("\n".join(problems))
    return teaching


def n_asking(root: Path) -> int:
    """Count the iterations that ask the teacher; raises ParamsError where there is none."""
    n = open_run(root).n_iterations
    if n < 1:
        raise ParamsError(
            f"{root / PARAMS}: `iterations`: found {n}, so that no teacher is ever asked; expected"
            " 1 or more"
        )
    return n


def is_done(found: Status, iteration: int, stage: str) -> bool:
    """Say whether a stage of an iteration has its output, and all before it have theirs."""
    return any(
        step.stage == stage and step.state == DONE for step in found.iterations[iteration].steps
    )


def to_ask(root: Path, found: Status, iteration: int, stand_in: Callable[[Example], str]) -> ToAsk:
    """Read an iteration's errors and set; `stand_in` writes wrong answers nobody gave yet."""
    run = Run(root, found.n_iterations)
    if is_done(found, iteration, "diff-errors"):
        return ToAsk(
            iteration,
            True,
            read_records(run.in_iteration(iteration, "errors.parquet"), SeedError),
            read_records(run.examples(iteration), Example),
        )
    examples, states = _newest_set(run, found, iteration)
    n_requests = {state.seed_id: state.n_requests for state in states}
    errors = seeds_as_errors(examples, n_requests, iteration, stand_in)
    return ToAsk(iteration, False, errors, examples)


def seeds_as_errors(
    examples: Iterable[Example],
    n_requests: Mapping[str, int],
    iteration: int,
    stand_in: Callable[[Example], str],
) -> list[SeedError]:
    """Make every seed an error; `n_requests` counts those sent before, by seed (else 0)."""
    return [
        SeedError(
            seed_id=seed.example_id,
            iteration=iteration,
            verdict="wrong",
            text=stand_in(seed),
            answer=None,
            n_wrong_in_a_row=1,
            ever_right=False,
            n_requests=n_requests.get(seed.example_id, 0),
            ask=True,
        )
        for seed in examples
        if seed.origin == "seed"
    ]


def _newest_set(run: Run, found: Status, iteration: int) -> tuple[list[Example], list[SeedState]]:
    """Read the newest set up to an iteration's own, or draw set 0 from the raw rows."""
    merged = [k + 1 for k in range(iteration) if is_done(found, k, "merge")]
    if not any(step.stage == "subsample" and step.state == DONE for step in found.before):
        return _drawn(run.root)
    number = max(merged, default=0)
    return (
        read_records(run.examples(number), Example),
        read_records(run.in_set(number, "state.parquet"), SeedState),
    )


def _drawn(root: Path) -> tuple[list[Example], list[SeedState]]:
    params = load_section(root / PARAMS, "subsample", SubsampleParams)
    task = root / load_value(root / PARAMS, "task", str)
    fields = load_section(task, "fields", Fields)
    answer_format = load_section(task, "answer", AnswerFormat)
    train = read_raw(root / params.train, fields, answer_format)
    test = read_raw(root / params.test, fields, answer_format)
    leaked = find_leaked([row.input for row in train], test)
    random_seed = load_value(root / PARAMS, "random_seed", int)
    exclude = load_section(root / PARAMS, "sets", SetsParams).exclude
    withdrawn = {entry.id for entry in exclude if entry.kind == "seed"}
    return first_set(subsample(train, test, leaked, params, random_seed, withdrawn).seed)


class Listening:
    """Take requests as a sender does, and note them; only those are sent that `send_on` allows.

    `missing` are those without an outcome; `entries` holds the outcomes there are, by request.
    """

    def __init__(self, sender: Sends, *, send_on: bool) -> None:
        self._sender = sender
        self._send_on = send_on
        self.requests: list[TeacherRequest] = []
        self.missing: list[TeacherRequest] = []
        self.entries: dict[str, Entry] = {}

    def name(self, request: TeacherRequest) -> TeacherRequest:
        """Give a request its id."""
        return self._sender.name(request)

    def describe(self, request: TeacherRequest) -> dict[str, Json]:
        """Give what the id is the hash of."""
        return self._sender.describe(request)

    def find(self, request_ids: Iterable[str]) -> Mapping[str, Entry]:
        """Look outcomes up."""
        return self._sender.find(request_ids)

    def send(
        self, requests: Requests, on_entry: Callable[[TeacherRequest, Entry], None]
    ) -> list[int]:
        """Hand over the outcomes there are, or all; gives the numbers of those without one."""

        def take(request: TeacherRequest, entry: Entry) -> None:
            self.entries[request.request_id] = entry
            on_entry(request, entry)

        self.requests += requests
        if self._send_on:
            missing = self._sender.send(requests, take)
        else:
            missing = self._look_up(requests, take)
        self.missing += requests.only(missing)
        return missing

    def _look_up(
        self, requests: Requests, on_entry: Callable[[TeacherRequest, Entry], None]
    ) -> list[int]:
        missing = []
        for chunk in requests.chunks(500):
            known = self._sender.find(request.request_id for _, request in chunk)
            for number, request in chunk:
                if request.request_id in known:
                    on_entry(request, known[request.request_id])
                else:
                    missing.append(number)
        return missing
