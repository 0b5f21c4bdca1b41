"""How long requests of a kind are, and what some of them take."""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from llm2llm.ids import canonical_json
from llm2llm.ledger.database import Ledger
from llm2llm.ledger.usage import mean_completion_tokens
from llm2llm.parsing import Candidate
from llm2llm.tasks.sections import TeacherPrompt
from llm2llm.teacher.budget import Prices
from llm2llm.teacher.lengths import most_completion_tokens, most_prompt_tokens
from llm2llm.teacher.protocol import TeacherRequest
from llm2llm.teacher.sends import Sends
from llm2llm.teacher_prompts import ask_to_solve

# English text takes about four bytes a token; other languages, and numbers, fewer.
BYTES_PER_TOKEN = 4
# The character that JSON, in which the budget reckons, writes with the most bytes: six.
WIDEST = "\x01"
# A limit may be set so high that a text of that length would not fit in memory.
MOST_RENDERED = 100_000


@dataclass(frozen=True, slots=True)
class Amount:
    """Requests, tokens and money; null is unknown."""

    n_requests: int
    n_prompt_tokens: int
    n_completion_tokens: int | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class Size:
    """The tokens of one request: expected, and at most, as the budget reckons (null: no limit)."""

    prompt: float
    completion: float
    most_prompt: int
    most_completion: int | None


NO_TOKENS = Size(0.0, 0.0, 0, 0)


def n_prompt_tokens(request: TeacherRequest) -> int:
    """Estimate the tokens of what a request says."""
    n_bytes = sum(len(message.content.encode()) for message in request.messages)
    return -(-n_bytes // BYTES_PER_TOKEN)


def sizes(
    requests: Sequence[TeacherRequest],
    prompt: TeacherPrompt,
    max_input_chars: int,
    sender: Sends,
    ledger: Ledger,
) -> tuple[Size, Size, bool]:
    """Measure requests that write, and those that would solve their seeds; at least one is given.

    Answers are as long as this model's in the ledger were, and the last value is true; else as
    long as what a seed holds of the same. What is solved has at most `max_input_chars` characters,
    as what is longer is no example.
    """
    solving = [
        ask_to_solve(Candidate(one.seed_input, ""), one, template=prompt.solve, draw=0)
        for one in requests
        if prompt.solve is not None
    ]
    teacher = sender.describe(requests[0])["teacher"]
    assert isinstance(teacher, dict)
    backend, model = str(teacher["backend"]), teacher.get("model")
    counted = [
        mean_completion_tokens(
            ledger, backend, None if model is None else str(model), solving=solve
        )
        for solve in (False, True)
    ]
    written = [_n_written(one, prompt) for one in requests]
    solutions = [len(one.seed_target.encode()) / BYTES_PER_TOKEN for one in requests]
    write = _size(requests, sender, written, counted[0])
    solve = NO_TOKENS
    if prompt.solve is not None:
        most = _most_to_solve(requests[0], prompt.solve, max_input_chars, sender)
        measured = _size(solving, sender, solutions, counted[1])
        solve = replace(measured, most_prompt=max(most, measured.most_prompt))
    return write, solve, counted[0] is not None


def amount(
    n_write: float, n_solve: float, write: Size, solve: Size, prices: Prices | None, *, most: bool
) -> Amount:
    """Add up requests of both kinds; `prices` null is a teacher that costs nothing."""
    pairs = ((n_write, write), (n_solve, solve))
    if most:
        prompt = math.ceil(sum(n * size.most_prompt for n, size in pairs))
        limits = [(n, size.most_completion) for n, size in pairs if n]
        unknown = any(limit is None for _, limit in limits)
        completion = None if unknown else math.ceil(sum(n * (limit or 0) for n, limit in limits))
    else:
        prompt = math.ceil(sum(n * size.prompt for n, size in pairs))
        completion = math.ceil(sum(n * size.completion for n, size in pairs))
    cost = 0.0 if prices is None else prices.cost(prompt, completion)
    return Amount(math.ceil(n_write + n_solve), prompt, completion, cost)


def add_up(amounts: Iterable[Amount]) -> Amount:
    """Sum amounts up; what is unknown of one is unknown of all."""
    all_ = list(amounts)
    completions = [each.n_completion_tokens for each in all_]
    costs = [each.cost for each in all_]
    return Amount(
        sum(each.n_requests for each in all_),
        sum(each.n_prompt_tokens for each in all_),
        None if None in completions else sum(n or 0 for n in completions),
        None if None in costs else sum(cost or 0.0 for cost in costs),
    )


def _size(
    requests: Sequence[TeacherRequest],
    sender: Sends,
    lengths: Sequence[float],
    counted: float | None,
) -> Size:
    longest = 0
    for request in requests:
        longest = max(longest, most_prompt_tokens(canonical_json(sender.describe(request))))
    teacher = sender.describe(requests[0])["teacher"]
    assert isinstance(teacher, dict)
    return Size(
        prompt=sum(map(n_prompt_tokens, requests)) / len(requests),
        completion=sum(lengths) / len(lengths) if counted is None else counted,
        most_prompt=longest,
        most_completion=most_completion_tokens(teacher),
    )


def _most_to_solve(about: TeacherRequest, template: str, n_chars: int, sender: Sends) -> int:
    """Bound the prompt that has an input of `n_chars` characters solved."""
    n_rendered = min(n_chars, MOST_RENDERED)
    worst = Candidate(WIDEST * n_rendered, "")
    request = ask_to_solve(worst, about, template=template, draw=0)
    most = most_prompt_tokens(canonical_json(sender.describe(request)))
    return math.ceil(most * n_chars / n_rendered)


def _n_written(request: TeacherRequest, prompt: TeacherPrompt) -> float:
    """Estimate an answer's tokens by the seed, written as one."""
    response = prompt.response
    fields = {response.input: request.seed_input}
    if response.target is not None:
        fields[response.target] = request.seed_target
    text = "".join(fields.values()) if response.kind == "text" else json.dumps(fields)
    return len(text.encode()) / BYTES_PER_TOKEN
