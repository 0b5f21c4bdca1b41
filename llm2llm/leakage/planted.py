"""Plant leaks among the test items' own kind, all of which the gates must find."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from llm2llm.exceptions import LeakageCheckError
from llm2llm.leakage.gate import Text
from llm2llm.leakage.gates import CutGate, LeakageGates
from llm2llm.leakage.rewrites import (
    N_WRAPPERS,
    disguised,
    embedded,
    in_a_window,
    renamed,
    reworded,
)
from llm2llm.records.split import SplitRow


@dataclass(frozen=True, slots=True)
class Recall:
    """How many leaks were planted for a gate, and found; none planted means none apply."""

    n_planted: int
    n_found: int


def check_planted(
    gates: LeakageGates, test: Sequence[SplitRow], n_planted: int
) -> dict[str, Recall]:
    """Plant up to `n_planted` leaks for each gate; raise LeakageCheckError unless all are found.

    Each is a test item rewritten so that its gate finds it by construction. It must be flagged by
    that gate, and stopped by the gates in order.
    """
    return {
        cut_gate.gate.name: _check(gates, cut_gate, test, n_planted) for cut_gate in gates.gates
    }


def _check(
    gates: LeakageGates, cut_gate: CutGate, test: Sequence[SplitRow], n_planted: int
) -> Recall:
    planted = list(islice(_leaks(gates, cut_gate, _spread(test, n_planted)), n_planted))
    texts = [text for _, text in planted]
    outcomes = zip(planted, cut_gate.matches(texts), gates.check(texts), strict=True)
    missed = [
        item.example_id for (item, _), match, flag in outcomes if match is None or flag is None
    ]
    if missed:
        raise LeakageCheckError(
            f"gate {cut_gate.gate.name}: found {len(planted) - len(missed)} of {len(planted)} "
            f"planted leaks, expected all; missed those made of {', '.join(missed[:5])}; nothing "
            "was let through; report this as a fault of llm2llm"
        )
    return Recall(len(planted), len(planted))


def embedded_items(test: Sequence[SplitRow], n: int) -> list[tuple[SplitRow, Text]]:
    """Put up to n test items, spread over the set, between other sentences of an input."""
    made = ((item, embedded(item.input, item.source_row % N_WRAPPERS)) for item in _spread(test, n))
    return list(islice(((item, text) for item, text in made if text is not None), n))


def _leaks(
    gates: LeakageGates, cut_gate: CutGate, items: Iterator[SplitRow]
) -> Iterator[tuple[SplitRow, Text]]:
    for item in items:
        text = _rewrite(gates, cut_gate, item)
        if text is not None:
            yield item, text


def _rewrite(gates: LeakageGates, cut_gate: CutGate, item: SplitRow) -> Text | None:
    gate = cut_gate.gate
    variant = item.source_row
    if gate.name == "exact":
        return disguised(item.input, variant)
    if gate.name == "coverage":
        return embedded(item.input, variant)
    if gate.name == "rouge":
        return reworded(item.input, variant, cut_gate.cut.value, int(gate.settings["extra_words"]))
    if gate.name == "masked" and gates.masker is not None:
        return renamed(item.input, variant, gates.masker)
    if gate.name == "embedding":
        return in_a_window(item.input, variant, int(gate.settings["window_words"]))
    raise LeakageCheckError(
        f"gate {gate.name}: no planted leak is known for it, expected one for each gate"
    )


def _spread(test: Sequence[SplitRow], n: int) -> Iterator[SplitRow]:
    """Go through all items, the first n of them spread evenly over the set."""
    step = max(1, len(test) // n)
    return chain.from_iterable(test[start::step] for start in range(step))
