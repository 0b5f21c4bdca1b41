"""Grading: the one verdict on every answer, and what follows from verdicts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llm2llm.answers import equal, extract
from llm2llm.exceptions import CountError
from llm2llm.records.errors import SeedError
from llm2llm.records.predictions import Prediction
from llm2llm.records.state import SeedState
from llm2llm.tasks.sections import AnswerFormat

RIGHT = "right"
WRONG = "wrong"
UNPARSABLE = "unparsable"

# The 97.5 % quantile of the normal distribution, for a two-sided 95 % interval.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Graded:
    """An answer in canonical form, null exactly when the verdict is unparsable."""

    answer: str | None
    verdict: str


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The share of right answers among `n`, with a 95 % Wilson interval from `low` to `high`."""

    n: int
    n_right: int
    n_unparsable: int
    share: float
    low: float
    high: float


def grade(spec: AnswerFormat, gold_answer: str, text: str) -> Graded:
    """Read the answer in a student's text and compare it with the gold answer."""
    answer = extract(spec, text)
    if answer is None:
        return Graded(None, UNPARSABLE)
    return Graded(answer, RIGHT if equal(spec, gold_answer, answer) else WRONG)


def accuracy(verdicts: Sequence[str]) -> Accuracy:
    """Count verdicts; unparsable ones are not right. Of none, the interval is 0 to 1."""
    n, n_right = len(verdicts), verdicts.count(RIGHT)
    n_unparsable = verdicts.count(UNPARSABLE)
    if n == 0:
        return Accuracy(0, 0, 0, 0.0, 0.0, 1.0)
    share = n_right / n
    # Wilson 1927; unlike share +- z * sqrt(p q / n) it holds for few rows and shares near 0 or 1.
    center = share + _Z**2 / (2 * n)
    half_width = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    scale = 1 + _Z**2 / n
    low = 0.0 if n_right == 0 else (center - half_width) / scale
    high = 1.0 if n_right == n else (center + half_width) / scale
    return Accuracy(n, n_right, n_unparsable, share, low, high)


def seed_errors(
    predictions: Sequence[Prediction],
    states: Sequence[SeedState],
    *,
    iteration: int,
    max_examples_per_seed: int | None,
) -> list[SeedError]:
    """List the seeds that were not answered right in this iteration, in the order of `states`.

    Predictions of other splits are passed over. Raises CountError if those of split `seed` are
    not exactly one for each state.
    """
    answered = [prediction for prediction in predictions if prediction.split == "seed"]
    by_id = {prediction.example_id: prediction for prediction in answered}
    known = {state.seed_id for state in states}
    if not len(answered) == len(by_id) == len(known) == len(states) or by_id.keys() != known:
        differing = sorted(by_id.keys() ^ known)
        raise CountError(
            f"iteration {iteration}: {len(answered)} predictions for {len(states)} seeds; expected "
            f"exactly one each; first id on one side only: {next(iter(differing), 'none')}; "
            f"run `dvc repro --force predict@{iteration}`"
        )
    errors = []
    for state in states:
        prediction = by_id[state.seed_id]
        if prediction.verdict == RIGHT:
            continue
        capped = max_examples_per_seed is not None and state.n_kept >= max_examples_per_seed
        errors.append(
            SeedError(
                seed_id=state.seed_id,
                iteration=iteration,
                verdict=prediction.verdict,
                text=prediction.text,
                answer=prediction.answer,
                n_wrong_in_a_row=_n_wrong_at_end(state.verdicts) + 1,
                ever_right=RIGHT in state.verdicts,
                n_requests=state.n_requests,
                ask=not capped,
            )
        )
    return errors


def suspected_label_errors(
    states: Sequence[SeedState], final_verdicts: Mapping[str, str]
) -> list[str]:
    """Name the seeds that no student has answered right, if at least two have tried.

    `final_verdicts` holds what the last student said, by seed id; states end one student before.
    """
    suspected = []
    for state in states:
        verdicts = [*state.verdicts]
        if state.seed_id in final_verdicts:
            verdicts.append(final_verdicts[state.seed_id])
        if len(verdicts) >= 2 and RIGHT not in verdicts:
            suspected.append(state.seed_id)
    return suspected


def _n_wrong_at_end(verdicts: Sequence[str]) -> int:
    reverse = list(reversed(verdicts))
    return reverse.index(RIGHT) if RIGHT in reverse else len(reverse)
