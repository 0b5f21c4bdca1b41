"""The gates against the test set, in order, each with its cut."""

import unicodedata
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from llm2llm.exceptions import LeakageCheckError
from llm2llm.ids import Json, sha256_json
from llm2llm.leakage.calibration import Cut, calibrate
from llm2llm.leakage.coverage import CoverageGate
from llm2llm.leakage.embedding import EmbeddingGate
from llm2llm.leakage.encoder import Encode
from llm2llm.leakage.exact import ExactGate, require_visible
from llm2llm.leakage.gate import Gate, Match, Near, Text
from llm2llm.leakage.masking import Masker
from llm2llm.leakage.normalize import words
from llm2llm.leakage.rouge import RougeGate
from llm2llm.params.dedupe_against_test import DedupeParams, GateCut
from llm2llm.records.split import SplitRow
from llm2llm.tasks.sections import LeakagePolicy

# Of so many test items a grey text is said to be near.
N_GREY = 3

# Counts up when the code of a gate changes what it finds.
CODE_VERSION = "gates-1"

REASONS = {
    "exact": "is a test item but for case, punctuation, spaces or look-alikes",
    "coverage": "holds the word n-grams of a test item",
    "rouge": "has the wording of a test item",
    "masked": "is a test item with other numbers or names",
    "embedding": "says what a test item says",
    "judge": "is not cleared by the judge",
}


@dataclass(frozen=True, slots=True)
class Flag:
    """Which gate stopped a text, at which test item, with which score."""

    gate: str
    reference: int
    score: float


@dataclass(frozen=True, slots=True)
class Sifted:
    """For each text the first gate that stops it, if any, and the test items it is grey to."""

    flags: list[Flag | None]
    grey: list[Near | None]


@dataclass(frozen=True, slots=True)
class CutGate:
    """A gate with its cut."""

    gate: Gate
    cut: Cut

    def matches(self, texts: Sequence[Text]) -> list[Match | None]:
        """Return for each text the test item that it is too close to, or None."""
        return [
            match if match is not None and match.score >= self.cut.value else None
            for match in self.gate.nearest(texts, self.cut.value)
        ]


@dataclass(frozen=True, slots=True)
class LeakageGates:
    """All gates that apply, in order; `masker` is null where the masked gate is off."""

    gates: tuple[CutGate, ...]
    masker: Masker | None

    def check(self, texts: Sequence[Text]) -> list[Flag | None]:
        """Return for each text the first gate that stops it, or None."""
        return self.sift(texts, None).flags

    def sift(self, texts: Sequence[Text], grey_from: float | None) -> Sifted:
        """Check texts, and find those that pass and score `grey_from` with the embedding gate.

        Each is grey to the N_GREY test items nearest to it, of those that it scores so much with.
        With null none is grey.
        """
        flags: list[Flag | None] = [None] * len(texts)
        grey: list[Near | None] = [None] * len(texts)
        for cut_gate in self.gates:
            gate, cut = cut_gate.gate, cut_gate.cut.value
            left = [place for place, flag in enumerate(flags) if flag is None]
            asked = [texts[place] for place in left]
            if grey_from is not None and isinstance(gate, EmbeddingGate):
                near = gate.near(asked, min(cut, grey_from), N_GREY)
            else:
                near = [Near((match,) if match else (), 0) for match in gate.nearest(asked, cut)]
            for place, each in zip(left, near, strict=True):
                best = each.matches[0] if each.matches else None
                if best is not None and best.score >= cut:
                    flags[place] = Flag(gate.name, best.reference, best.score)
                elif best is not None:
                    grey[place] = each
        return Sifted(flags, grey)

    def version(self, duplicate_cut: float, judge: Json = None) -> str:
        """Name the code and hash all that decides a verdict, Python's Unicode tables included.

        `judge` is what decides the judge's verdicts, null without one.
        """
        decisive: list[Json] = [
            [cut_gate.gate.name, cut_gate.cut.value, cut_gate.gate.settings]
            for cut_gate in self.gates
        ]
        judged = [] if judge is None else [judge]
        digest = sha256_json([unicodedata.unidata_version, decisive, duplicate_cut, *judged])
        return f"{CODE_VERSION}-{digest[:12]}"


def build_gates(
    test: Sequence[SplitRow],
    rest: Sequence[SplitRow],
    seed_inputs: Sequence[str],
    policy: LeakagePolicy,
    params: DedupeParams,
    encoder: tuple[Encode, str] | None = None,
) -> LeakageGates:
    """Index the test set, calibrate the cuts on `rest`, and see that each item finds itself.

    The embedding gate needs an encoder, as `load_encoder` returns it.

    Names are learned from test, calibration rows and seeds, none of which changes between
    iterations; so neither does a cut.
    """
    require_visible(test)
    inputs = [row.input for row in test]
    exact = ExactGate.of(inputs)
    sample = [Text(row.input, row.target) for row in rest[: params.calibration_rows]]
    clean = [
        text
        for text, match in zip(sample, exact.nearest(sample, 1.0), strict=True)
        if match is None
    ]
    gates = [CutGate(exact, Cut(1.0, "equality", None, 0))] if "exact" in params.gates else []
    if "coverage" in params.gates:
        coverage = CoverageGate.of(inputs, params.ngram_words)
        gates.append(_calibrated(coverage, params.coverage, clean, params))
    if "rouge" in params.gates:
        rouge = RougeGate.of("rouge", inputs, words, params.extra_words)
        gates.append(_calibrated(rouge, params.rouge, clean, params))
    masker = None
    if "masked" in params.gates and policy.masked and not policy.templated:
        masker = Masker.learn([*inputs, *(text.input for text in clean), *seed_inputs])
        masked = RougeGate.of("masked", inputs, masker.mask, params.extra_words)
        gates.append(_calibrated(masked, params.masked, clean, params))
    if "embedding" in params.gates:
        if encoder is None:
            raise LeakageCheckError(
                "gate embedding: it is on and no encoder was given, expected the one that "
                "`dedupe_against_test.embedding` names; nothing was let through"
            )
        embedding = EmbeddingGate.of(inputs, *encoder, params.embedding.window_words)
        gates.append(_calibrated(embedding, params.embedding, clean, params))
    if not gates:
        raise LeakageCheckError(
            f"no gate against the test set is left: `dedupe_against_test.gates` names "
            f"{', '.join(params.gates)}, and the task has no masked gate; add exact, coverage or "
            "rouge"
        )
    built = LeakageGates(tuple(gates), masker)
    require_self_found(built, test)
    return built


def _calibrated(gate: Gate, cut: GateCut, clean: Sequence[Text], params: DedupeParams) -> CutGate:
    # Scores below the strictest cut change no cut.
    found = gate.nearest(clean, cut.strictest)
    calibrated = calibrate(
        [match.score if match else 0.0 for match in found],
        flag_rate=params.flag_rate,
        default=cut.default,
        strictest=cut.strictest,
        loosest=params.loosest,
    )
    return CutGate(gate, calibrated)


def require_self_found(gates: LeakageGates, test: Sequence[SplitRow]) -> None:
    """Raise LeakageCheckError unless every gate finds every test item, with score 1."""
    texts = [Text(row.input, "") for row in test]
    for cut_gate in gates.gates:
        for row, match in zip(test, cut_gate.matches(texts), strict=True):
            if match is None or match.score < 1.0:
                raise LeakageCheckError(
                    f"gate {cut_gate.gate.name}: test item {row.example_id} (row {row.source_row}) "
                    f"is not found by its own index ({asdict(match) if match else 'no match'}), "
                    "expected score 1; nothing was let through; report this as a fault of llm2llm"
                )
