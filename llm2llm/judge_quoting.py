"""Bound what the judge of near candidates will cost, before it is asked."""

import math
from dataclasses import dataclass
from pathlib import Path

from llm2llm.budget_left import prices_of
from llm2llm.estimating import MOST_RENDERED, WIDEST, Amount
from llm2llm.ids import canonical_json
from llm2llm.judging import Judge, Pair
from llm2llm.leakage.gates import N_GREY
from llm2llm.lineage.progress import Status
from llm2llm.params.dedupe_against_test import DedupeParams
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.subsample import SubsampleParams
from llm2llm.pending import PARAMS, Teaching, is_done
from llm2llm.raw import read_raw
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import Fields
from llm2llm.teacher.backends import FREE
from llm2llm.teacher.lengths import most_completion_tokens, most_prompt_tokens

_WRAPPED = 200  # characters around a planted test item, at most
ASSUMPTION = (
    "the judge is expected to be asked nothing: how many candidates score within its band shows"
    f" once they are written; at most one of each seed does in an iteration, with up to {N_GREY}"
    " test items, besides the planted leaks"
)


@dataclass(frozen=True, slots=True)
class JudgeQuote:
    """What a judge is still asked, at most and as expected."""

    backend: str
    free: bool
    most: Amount
    expected: Amount


def quote_judge(
    root: Path, found: Status, teaching: Teaching, judge: Judge, n_seeds: int
) -> JudgeQuote:
    """Bound it by one candidate of each seed and iteration, as long as may be, and planted leaks.

    The candidate stands beside as many test items as there may be. Of the answers to one seed in an
    iteration only one passes the checks before the gates.
    """
    free = judge.params.backend in FREE
    left = [i for i in range(found.n_iterations) if not is_done(found, i, "dedupe-against-test")]
    n_planted = load_section(root / PARAMS, "dedupe_against_test", DedupeParams).n_planted
    n_requests = N_GREY * len(left) * n_seeds + (n_planted if left else 0)
    prompt, completion = _most_tokens(root, teaching, judge)
    tokens = (n_requests * prompt, None if completion is None else n_requests * completion)
    cost = 0.0 if free else prices_of(teaching.runtime).cost(*tokens)
    most = Amount(n_requests, *tokens, cost)
    return JudgeQuote(judge.params.backend, free, most, expected=Amount(0, 0, 0, 0.0))


def _most_tokens(root: Path, teaching: Teaching, judge: Judge) -> tuple[int, int | None]:
    """Bound prompt and answer of one request, as the budget reckons them."""
    params = load_section(root / PARAMS, "subsample", SubsampleParams)
    task = root / load_value(root / PARAMS, "task", str)
    fields = load_section(task, "fields", Fields)
    test = read_raw(root / params.test, fields, teaching.criteria.answer)
    longest = max((row.input for row in test), key=lambda text: len(canonical_json(text).encode()))
    n_chars = max(teaching.criteria.validity.max_input_chars, len(longest) + _WRAPPED)
    n_rendered = min(n_chars, MOST_RENDERED)
    item = SplitRow("", longest, "", "", 0)
    described = judge.describe(judge.request(Pair("", WIDEST * n_rendered, item, 1.0)))
    most = most_prompt_tokens(canonical_json(described))
    teacher = described["teacher"]
    assert isinstance(teacher, dict)
    return math.ceil(most * n_chars / n_rendered), most_completion_tokens(teacher)
