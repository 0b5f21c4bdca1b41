"""Order kept examples by how likely a look at them pays: the riskiest first."""

import bisect
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.exceptions import DataError
from llm2llm.lineage.finding import newest_set
from llm2llm.lineage.run import Run
from llm2llm.parsing import Candidate
from llm2llm.records.examples import Example
from llm2llm.records.responses import Response
from llm2llm.records.screened import Kept
from llm2llm.streaming import RecordFile
from llm2llm.tasks.sections import AnswerFormat
from llm2llm.validity import n_agreeing, solution_text

_BANDS = 10  # of the nearness to test
_QUARTERS = 4  # of the length


@dataclass(frozen=True, slots=True)
class Risk:
    """A kept example, its seed, and what is known of its risk; `n_votes` is 0 where none voted.

    `quarter` is that of its length among all kept examples, 3 for the longest.
    """

    example: Example
    seed: Candidate
    n_votes: int
    n_agreeing: int
    nearest_test_score: float | None
    length: int
    quarter: int
    first_of_seed: bool

    @property
    def told(self) -> str:
        """Say it in words."""
        near = self.nearest_test_score
        parts = [
            f"{self.n_agreeing} of {self.n_votes} votes agree" if self.n_votes else "",
            "" if near is None else f"ROUGE-L {near:.2f} with the nearest test item",
            "among the longest quarter" if self.quarter == _QUARTERS - 1 else "",
            "first of its seed" if self.first_of_seed else "",
        ]
        return "; ".join(part for part in parts if part)


def risks(run: Run, answer_format: AnswerFormat) -> list[Risk]:
    """List all kept examples of the newest set, the riskiest first, the same order every time.

    What comes first: a lower share of votes that agree (no vote counts as agreement), then nearer
    to a test item, in tenths of ROUGE-L F, then longer, in quarters, then the first of its seed.
    Raises DataError where nothing was kept.
    """
    seeds: dict[str, Candidate] = {}
    examples: list[Example] = []
    for example in RecordFile(run.examples(newest_set(run)), Example):
        if example.origin == "seed":
            seeds[example.example_id] = Candidate(example.input, example.target)
        else:
            examples.append(example)
    if not examples:
        raise DataError(
            "the newest set holds seeds alone, so there is nothing to review; `llm2llm status`"
            " says how far the run is"
        )
    near, votes = _near(run, examples), _votes(run, examples, answer_format)
    lengths = sorted(_length(example) for example in examples)
    seen: set[str] = set()
    found = []
    for example in examples:
        n_votes, agreeing = votes.get(example.example_id, (0, 0))
        shorter = bisect.bisect_left(lengths, _length(example))
        found.append(
            Risk(
                example=example,
                seed=seeds[example.seed_id],
                n_votes=n_votes,
                n_agreeing=agreeing,
                nearest_test_score=near.get(example.example_id),
                length=_length(example),
                quarter=shorter * _QUARTERS // len(lengths),
                first_of_seed=example.seed_id not in seen,
            )
        )
        seen.add(example.seed_id)
    return sorted(found, key=_order)


def _order(risk: Risk) -> tuple[float | str, ...]:
    agreement = risk.n_agreeing / risk.n_votes if risk.n_votes else 1.0
    near = risk.nearest_test_score or 0.0
    bands = (agreement, -int(near * _BANDS), -risk.quarter, not risk.first_of_seed)
    return (*bands, -near, -risk.length, risk.example.example_id)


def _length(example: Example) -> int:
    return len(example.input) + len(example.target)


def _near(run: Run, examples: Sequence[Example]) -> dict[str, float]:
    wanted = {example.example_id for example in examples}
    found = {}
    for iteration in _iterations(examples):
        for kept in RecordFile(run.in_iteration(iteration, "screened/kept.parquet"), Kept):
            if kept.example_id in wanted and kept.nearest_test_score is not None:
                found[kept.example_id] = kept.nearest_test_score
    return found


def _votes(
    run: Run, examples: Sequence[Example], answer_format: AnswerFormat
) -> dict[str, tuple[int, int]]:
    """Count votes, and those that agree, by example."""
    by_request = {example.request_id: example for example in examples}
    solutions: dict[str, list[str | None]] = defaultdict(list)
    for iteration in _iterations(examples):
        for response in RecordFile(run.in_iteration(iteration, "responses.parquet"), Response):
            if response.about is not None and response.about in by_request:
                text = solution_text(response.text, response.finish_reason)
                solutions[response.about].append(text)
    found = {}
    for request_id, texts in solutions.items():
        example = by_request[request_id]
        candidate = Candidate(example.input, example.target)
        agreeing = n_agreeing(candidate, texts, answer_format)
        found[example.example_id] = (len(texts), agreeing)
    return found


def _iterations(examples: Sequence[Example]) -> list[int]:
    return sorted({example.iteration for example in examples if example.iteration is not None})
