"""Say before it is spent what the judge of free text will cost."""

import math
from collections.abc import Sequence
from pathlib import Path

from llm2llm.answer_judging import AnswerJudge, Claim
from llm2llm.budget_left import prices_of
from llm2llm.estimating import BYTES_PER_TOKEN, WIDEST, Amount, n_prompt_tokens
from llm2llm.ids import canonical_json
from llm2llm.judge_quoting import JudgeQuote
from llm2llm.ledger.database import Ledger
from llm2llm.ledger.usage import mean_completion_tokens
from llm2llm.lineage.progress import DONE, Status
from llm2llm.params.loading import load_section, load_value
from llm2llm.params.measuring import MeasuringParams
from llm2llm.params.subsample import SubsampleParams
from llm2llm.params.train_control import TrainControlParams
from llm2llm.pending import PARAMS, Teaching, is_done
from llm2llm.raw import read_raw
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import Fields
from llm2llm.teacher.backends import FREE
from llm2llm.teacher.lengths import most_completion_tokens, most_prompt_tokens

# Of an answer that nobody has seen yet: a sentence, and a word.
_JUDGMENT_TOKENS = 40
# So many rows tell how long a request is, as a million would not tell better.
_MOST_MEASURED = 2_000
# As a student may answer, in tokens, where params set no limit of their own.
_ROOM = 1.5


def quote_answer_judge(
    root: Path,
    found: Status,
    teaching: Teaching,
    ledger: Ledger,
    judge: AnswerJudge,
    n_seeds: int,
) -> tuple[JudgeQuote, list[str]]:
    """Bound it by every answer of every student still to be measured; gives what is assumed too.

    No answer is expected to equal its reference, so that as many requests are expected.
    """
    params = load_section(root / PARAMS, "predict", MeasuringParams)
    rows, n_asked = _rows(root, teaching, params, n_seeds)
    n_students = _n_to_measure(root, found)
    n_requests = n_students * n_asked * (1 + (params.samples if params.samples > 1 else 0))
    longest, n_chars = _longest_claim(rows, params)
    described = judge.describe(judge.request(longest))
    teacher = described["teacher"]
    assert isinstance(teacher, dict)
    limit = most_completion_tokens(teacher)
    prompt = most_prompt_tokens(canonical_json(described))
    model = teacher.get("model")
    counted = mean_completion_tokens(
        ledger,
        str(teacher["backend"]),
        None if model is None else str(model),
        solving=False,
        purpose="grade",
    )
    stand_ins = [judge.request(_stand_in(row)) for row in rows[:_MOST_MEASURED]]
    mean_prompt = sum(map(n_prompt_tokens, stand_ins)) / len(stand_ins)
    mean_answer = _JUDGMENT_TOKENS if counted is None else counted
    free = judge.params.backend in FREE
    quoted = JudgeQuote(
        judge.params.backend,
        free,
        _amount(teaching, free, n_requests, prompt, limit),
        _amount(teaching, free, n_requests, mean_prompt, mean_answer),
    )
    how = "as this judge's in the ledger did" if counted is not None else "as a sentence takes"
    return quoted, [
        f"the judge of answers is asked about each of {n_asked} rows for {n_students} students, as"
        " no answer may equal its reference; what the ledger holds already is counted too",
        f"an answer is as long as its reference, and has {n_chars} characters at most; a judgment"
        f" takes {mean_answer:.0f} tokens, {how}",
    ]


def _amount(
    teaching: Teaching, free: bool, n: int, prompt: float, completion: float | None
) -> Amount:
    tokens = math.ceil(n * prompt), None if completion is None else math.ceil(n * completion)
    return Amount(n, *tokens, 0.0 if free else prices_of(teaching.runtime).cost(*tokens))


def _n_to_measure(root: Path, found: Status) -> int:
    n_students = sum(not is_done(found, each.iteration, "predict") for each in found.iterations)
    if not load_section(root / PARAMS, "train_control", TrainControlParams).enabled:
        return n_students
    done = any(step.stage == "predict-control" and step.state == DONE for step in found.after)
    return n_students + (not done)


def _rows(
    root: Path, teaching: Teaching, params: MeasuringParams, n_seeds: int
) -> tuple[list[SplitRow], int]:
    """Read the rows that may be asked about, and count those that are: of train the seeds alone."""
    raw = load_section(root / PARAMS, "subsample", SubsampleParams)
    task = root / load_value(root / PARAMS, "task", str)
    fields = load_section(task, "fields", Fields)
    train, test = (
        read_raw(root / name, fields, teaching.criteria.answer) for name in (raw.train, raw.test)
    )
    dev = read_raw(root / raw.dev, fields, teaching.criteria.answer, may_be_empty=True)
    test = test[: params.test_rows]
    return [*train, *dev, *test], n_seeds + len(dev) + len(test)


def _longest_claim(rows: Sequence[SplitRow], params: MeasuringParams) -> tuple[Claim, int]:
    """Put the longest input, the longest reference and the longest answer into one claim."""
    n_chars = math.ceil(_ROOM * max(len(row.target) for row in rows))
    if params.max_new_tokens is not None:
        n_chars = params.max_new_tokens * BYTES_PER_TOKEN
    input_, reference = (
        max(texts, key=lambda text: len(canonical_json(text).encode()))
        for texts in ([row.input for row in rows], [row.answer for row in rows])
    )
    return Claim("", input_, reference, WIDEST * n_chars), n_chars


def _stand_in(row: SplitRow) -> Claim:
    return Claim(row.example_id, row.input, row.answer, row.answer)
