"""The student's answers: data/iterations/i/predictions.parquet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer, raw and graded.

    `split` is seed, dev or test; `verdict` is right, wrong or unparsable; `truncated` says
    that the token limit ended the text; `n_tokens` counts what was generated.
    """

    split: str
    example_id: str
    text: str
    answer: str | None
    verdict: str
    truncated: bool
    n_tokens: int
