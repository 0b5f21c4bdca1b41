"""Find candidates that nearly repeat a training example, or an earlier candidate."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from llm2llm.leakage.gate import Match
from llm2llm.leakage.normalize import spaced
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
    queries = [spaced(item.input) for item in candidates]
    close = _close(queries, references, cut)
    allowed = [True] * len(examples) + [False] * len(candidates)
    known = {item.example_id for item in examples}
    found: list[Nearest | None] = [None] * len(candidates)
    for place, candidate in enumerate(candidates):
        above = [match for match in close[place] if allowed[match.reference]]
        if candidate.example_id in known:
            found[place] = Nearest("is an example already", candidate.example_id, 1.0)
        elif above:
            best = min(above, key=lambda match: (-match.score, match.reference))
            nearest = references[best.reference].example_id
            found[place] = Nearest("nearly repeats an example", nearest, best.score)
        else:
            allowed[len(examples) + place] = True
            known.add(candidate.example_id)
    kept = [place for place, nearest in enumerate(found) if nearest is None]
    others = [reference for reference, is_in in zip(references, allowed, strict=True) if is_in]
    index = RougeIndex(spaced(item.input) for item in others)
    before = range(len(examples), len(others))
    matches = index.nearest([queries[place] for place in kept], 0, before=before)
    for place, match in zip(kept, matches, strict=True):
        found[place] = (
            Nearest(None, others[match.reference].example_id, match.score)
            if match
            else Nearest(None, None, None)
        )
    return [nearest for nearest in found if nearest is not None]


def _close(
    queries: Sequence[str], references: Sequence[Item], cut: float
) -> defaultdict[int, list[Match]]:
    """Gather for each candidate, by place, all that it exceeds the cut with, itself included."""
    close: defaultdict[int, list[Match]] = defaultdict(list)
    index = RougeIndex(spaced(item.input) for item in references)
    for query, reference, score in index.pairs(queries, 0, cut):
        if score > cut:
            close[query].append(Match(reference, score))
    return close
