"""The examples by seed as compact JSON, for the page's table."""

import json
from collections import defaultdict
from dataclasses import dataclass

from llm2llm.ids import Json
from llm2llm.lineage.finished import Finished
from llm2llm.records.examples import Example
from llm2llm.records.screened import Rejected

_LETTER = {"right": "r", "wrong": "w", "unparsable": "u"}
# `<` cannot end the script element, nor begin a comment in it, and the separators end no line.
_ESCAPED = str.maketrans({each: f"\\u{ord(each):04x}" for each in "<>&\u2028\u2029"})


@dataclass(frozen=True, slots=True)
class Table:
    """The JSON, and what share of the run it holds; longer texts than `n_characters` are cut."""

    json: str
    n_seeds: int
    n_seeds_shown: int
    n_examples: int
    n_examples_shown: int
    n_characters: int
    n_cut: int


class _Names:
    """Number names in the order in which they are met."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def __getitem__(self, name: str) -> int:
        return self.numbers.setdefault(name, len(self.numbers))


class _Cutter:
    """Cut long texts, and count them."""

    def __init__(self, n_characters: int) -> None:
        self._n = n_characters
        self.n_cut = 0

    def __call__(self, text: str | None) -> str:
        if text is None or len(text) <= self._n:
            return text or ""
        self.n_cut += 1
        return text[: self._n] + "\u2026"


def table(finished: Finished, *, n_examples: int, n_characters: int) -> Table:
    """List seeds with verdicts, examples and rejections.

    Of a set of more than about `n_examples`, seeds are left out evenly, with all of theirs.
    """
    of_seed: dict[str, list[Example]] = defaultdict(list)
    for example in finished.examples:
        of_seed[example.seed_id].append(example)
    rejected: dict[str, list[tuple[int, Rejected]]] = defaultdict(list)
    for iteration, stopped in enumerate(finished.rejected):
        for row in stopped:
            rejected[row.seed_id].append((iteration, row))
    last = {p.example_id: p.verdict for p in finished.predictions[-1] if p.split == "seed"}
    n_seeds = len(finished.states)
    total = len(finished.examples)
    n_shown = n_seeds if total <= n_examples else n_seeds * n_examples // total
    chosen = [finished.states[k * n_seeds // n_shown] for k in range(n_shown)]
    cut, gates, teachers = _Cutter(n_characters), _Names(), _Names()
    rows: list[Json] = []
    n_examples_shown = 0
    for state in chosen:
        seed, *added = of_seed[state.seed_id]
        n_examples_shown += 1 + len(added)
        verdicts = [*state.verdicts, *([last[state.seed_id]] if state.seed_id in last else [])]
        stops: list[Json] = [
            [iteration, gates[row.gate], cut(row.reason)]
            for iteration, row in rejected[state.seed_id]
        ]
        examples: list[Json] = [
            [
                example.example_id,
                example.iteration,
                cut(example.input),
                cut(example.target),
                cut(example.error),
                teachers[example.teacher or "an unnamed teacher"],
            ]
            for example in added
        ]
        told = "".join(_LETTER[verdict] for verdict in verdicts)
        texts = (cut(seed.input), cut(seed.target))
        rows.append([seed.example_id, *texts, told, state.n_requests, stops, examples])
    content: Json = {"gates": [*gates.numbers], "teachers": [*teachers.numbers], "seeds": rows}
    return Table(
        json=embedded(content),
        n_seeds=n_seeds,
        n_seeds_shown=n_shown,
        n_examples=total,
        n_examples_shown=n_examples_shown,
        n_characters=n_characters,
        n_cut=cut.n_cut,
    )


def embedded(content: Json) -> str:
    """Write JSON that can stand in a script element of HTML."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPED)
