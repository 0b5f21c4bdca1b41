"""Ask the teacher about the seeds that the student got wrong."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from llm2llm.exceptions import CountError, DataError, ParamsError
from llm2llm.ids import Json, canonical_json, sha256_json
from llm2llm.ledger.database import Entry
from llm2llm.ledger.identity import request_id
from llm2llm.parsing import Unparsable, parse_candidates
from llm2llm.prompts import check_template, render
from llm2llm.records.errors import SeedError
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.tasks.sections import ResponseFormat, TeacherPrompt
from llm2llm.teacher.protocol import Message, TeacherRequest
from llm2llm.teacher.sending import describe

PROMPT_FIELDS = frozenset({"input", "target", "student_text"})


class Sends(Protocol):
    """What gets answers to requests; `identity` is the teacher's."""

    @property
    def identity(self) -> Mapping[str, Json]:
        """Everything but the request that determines an answer."""

    def send(
        self, requests: Sequence[TeacherRequest], on_progress: Callable[[int, int], None]
    ) -> list[Entry]:
        """Give the entry of each request, in order."""


def ask_teacher(
    errors: Sequence[SeedError],
    examples: Sequence[Example],
    *,
    make_sender: Callable[[], Sends],
    prompt: TeacherPrompt,
    attempts: int,
    random_seed: int,
    iteration: int,
    wants_retry: Callable[[str, str], bool],
    on_progress: Callable[[int, int], None],
) -> list[Response]:
    """Ask about each error with `ask`; the rows stand in the errors' order, then by draw.

    `wants_retry` takes an answer's text and its seed's target; such an answer is asked for again,
    as the next draw, up to `attempts` in all. A failed request is not. With nothing to ask no
    sender is made. Raises ParamsError for a template that does not hold, TeacherError where a
    request stays without an outcome.
    """
    asked = [error for error in errors if error.ask]
    if not asked:
        return []
    problems = check_prompt(prompt)
    if problems:
        raise ParamsError("\n".join(problems))
    seeds = _seeds(asked, examples)
    sender = make_sender()
    prompt_sha256 = sha256_json(prompt.model_dump())
    rows: dict[str, list[Response]] = {error.seed_id: [] for error in asked}
    n_sent = 0
    pending = list(asked)
    for attempt in range(attempts):
        requests = [
            make_request(
                error,
                seeds[error.seed_id],
                prompt=prompt,
                draw=error.n_requests + attempt,
                random_seed=random_seed,
                identity=sender.identity,
            )
            for error in pending
        ]
        entries = sender.send(requests, _from(on_progress, n_sent))
        n_sent += len(requests)
        again = []
        for error, request, entry in zip(pending, requests, entries, strict=True):
            if entry.request_id != request.request_id:
                raise CountError(
                    f"{request.request_id} (seed {request.seed_id}) got the outcome of"
                    f" {entry.request_id}; see that the ledger is whole"
                )
            rows[error.seed_id].append(_row(request, entry, iteration, prompt_sha256))
            if entry.text is not None and wants_retry(entry.text, request.seed_target):
                again.append(error)
        pending = again
        if not pending:
            break
    responses = [row for of_seed in rows.values() for row in of_seed]
    _balance(responses, n_sent)
    return responses


def unparsable(response: ResponseFormat) -> Callable[[str, str], bool]:
    """Make the usual `wants_retry`: an answer in which no candidate can be read."""
    return lambda text, target: isinstance(parse_candidates(text, response, target), Unparsable)


def check_prompt(prompt: TeacherPrompt) -> list[str]:
    """List the problems of a task's teacher templates, one line each."""
    templates = {"teacher.system": prompt.system, "teacher.user": prompt.user}
    return [
        f"`{name}`: {problem}"
        for name, template in templates.items()
        if template is not None
        for problem in check_template(template, set(PROMPT_FIELDS))
    ]


def make_request(
    error: SeedError,
    seed: Example,
    *,
    prompt: TeacherPrompt,
    draw: int,
    random_seed: int,
    identity: Mapping[str, Json],
) -> TeacherRequest:
    """Render the messages about one error, and name the request by what is sent."""
    fields = {
        "input": seed.input,
        "target": seed.target,
        "student_text": error.text if prompt.show_student_text else None,
    }
    turns = [("system", prompt.system), ("user", prompt.user)]
    unnamed = TeacherRequest(
        request_id="",
        seed_id=error.seed_id,
        draw=draw,
        random_seed=random_seed,
        messages=tuple(
            Message(role, render(template, **fields)) for role, template in turns if template
        ),
        seed_input=seed.input,
        seed_target=seed.target,
    )
    return dataclasses.replace(unnamed, request_id=request_id(describe(unnamed, identity)))


def _seeds(asked: Sequence[SeedError], examples: Sequence[Example]) -> dict[str, Example]:
    twice = [seed_id for seed_id, n in Counter(error.seed_id for error in asked).items() if n > 1]
    if twice:
        raise CountError(f"errors: seed {twice[0]} occurs more than once; run `dvc repro --force`")
    seeds = {example.example_id: example for example in examples}
    unknown = [error.seed_id for error in asked if error.seed_id not in seeds]
    if unknown:
        raise DataError(
            f"errors: seed {unknown[0]} is not among the {len(seeds)} examples of the set; the two"
            " files are of different runs: run `dvc repro`"
        )
    return seeds


def _row(request: TeacherRequest, entry: Entry, iteration: int, prompt_sha256: str) -> Response:
    return Response(
        request_id=request.request_id,
        seed_id=request.seed_id,
        iteration=iteration,
        draw=request.draw,
        status=entry.status,
        text=entry.text,
        finish_reason=entry.finish_reason,
        failure=entry.failure,
        messages=canonical_json([dataclasses.asdict(message) for message in request.messages]),
        prompt_sha256=prompt_sha256,
        teacher=entry.teacher,
        n_prompt_tokens=entry.n_prompt_tokens,
        n_completion_tokens=entry.n_completion_tokens,
    )


def _from(on_progress: Callable[[int, int], None], before: int) -> Callable[[int, int], None]:
    return lambda done, total: on_progress(before + done, before + total)


def _balance(responses: Sequence[Response], n_sent: int) -> None:
    n_answered = sum(row.status == "answered" for row in responses)
    n_failed = sum(row.status == "failed" for row in responses)
    n_ids = len({row.request_id for row in responses})
    if not n_sent == n_answered + n_failed == n_ids:
        raise CountError(
            f"{n_sent} requests, but {n_answered} answered, {n_failed} failed, {n_ids} different"
            " ids; expected requests = answered + failed, each once"
        )
