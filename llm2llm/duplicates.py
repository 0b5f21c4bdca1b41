"""Find candidates that nearly repeat a training example, or an earlier candidate."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llm2llm.leakage.normalize import words
from llm2llm.leakage.rouge import RougeIndex


@dataclass(frozen=True, slots=True)
class Item:
    """An example, or a candidate, as far as duplicates are concerned."""

    example_id: str
    input: str


@dataclass(frozen=True, slots=True)
class Nearest:
    """The closest example before a candidate by ROUGE-L F, and what it makes of the candidate.

    `reason` is null for a candidate that repeats nothing; the id is null where no word is shared.
    """

    reason: str | None
    reference_id: str | None
    score: float | None


def find_duplicates(
    candidates: Sequence[Item], examples: Sequence[Item], cut: float
) -> list[Nearest]:
    """Compare each candidate with all examples and all earlier candidates that are no duplicates.

    A duplicate exceeds `cut`, which LLM2LLM sets to .95. The first wins: what was itself found to
    repeat something is no reference for later ones, so that duplicates do not chain.
    """
    references = [*examples, *candidates]
    index = RougeIndex([words(item.input) for item in references])
    allowed = np.arange(len(references)) < len(examples)
    known = {item.example_id for item in examples}
    found: list[Nearest] = []
    rows = index.rows([words(item.input) for item in candidates], 0)
    for place, (candidate, row) in enumerate(zip(candidates, rows, strict=True)):
        scores = np.where(allowed, row, 0.0)
        best = int(scores.argmax())
        score = float(scores[best])
        nearest = references[best].example_id if score > 0 else None
        if candidate.example_id in known:
            found.append(Nearest("is an example already", candidate.example_id, 1.0))
        elif score > cut:
            found.append(Nearest("nearly repeats an example", nearest, score))
        else:
            found.append(Nearest(None, nearest, score if score > 0 else None))
            allowed[len(examples) + place] = True
            known.add(candidate.example_id)
    return found
