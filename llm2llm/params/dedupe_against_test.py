"""Section `dedupe_against_test`: which candidates are too close to test or to training rows."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from llm2llm.params.judge import LeakJudgeParams
from llm2llm.params.section import Section

Share = Annotated[float, Field(gt=0, le=1)]
GateName = Literal["exact", "coverage", "rouge", "masked", "embedding", "judge", "duplicate"]


class GateCut(Section):
    """The cut of one gate: `default` without enough unused rows, `strictest` with them."""

    default: Share
    strictest: Share


class EmbeddingGateParams(GateCut):
    """The cut of a cosine, and whose: a model folder, a hub id, or `packaged`.

    Longer texts are compared in windows of `window_words`; null: nine in ten test items fit.
    """

    encoder: str
    revision: str | None
    window_words: Annotated[int, Field(ge=1)] | None


class DedupeParams(Section):
    """Cuts are shares from 0 to 1: the lower, the more is rejected.

    `gates` are those that are on; their order is not the user's to choose. `loosest` bounds what
    calibration may set; `extra_words` lowers the cut of both ROUGE-L gates for short texts;
    `duplicate_cut` must be exceeded, the others reached. Without the gate `judge` its section may
    be null; it is shown test items.
    """

    gates: list[GateName]
    ngram_words: Annotated[int, Field(ge=1)]
    extra_words: Annotated[int, Field(ge=0)]
    coverage: GateCut
    rouge: GateCut
    masked: GateCut
    embedding: EmbeddingGateParams
    judge: LeakJudgeParams | None
    loosest: Share
    flag_rate: Annotated[float, Field(gt=0, lt=1)]
    calibration_rows: Annotated[int, Field(ge=0)]
    duplicate_cut: Share
    n_planted: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _ordered(self) -> "DedupeParams":
        for name in ("coverage", "rouge", "masked", "embedding"):
            cut = getattr(self, name)
            if not cut.strictest <= cut.default <= self.loosest:
                raise ValueError(
                    f"{name}: strictest ({cut.strictest}) <= default ({cut.default}) <= loosest "
                    f"({self.loosest})"
                )
        if not set(self.gates) - {"duplicate"}:
            raise ValueError("gates: at least one against the test set, e.g. exact")
        if "judge" in self.gates:
            self._refuse_a_judge_without_a_band()
        return self

    def _refuse_a_judge_without_a_band(self) -> None:
        if "embedding" not in self.gates:
            raise ValueError(
                "gates: judge only beside embedding, whose scores say what it is asked"
            )
        if self.judge is None:
            raise ValueError(
                "judge: a section, as `gates` names it; docs/leakage.md has one to copy"
            )
        if self.judge.asked_from >= self.loosest:
            raise ValueError(
                f"judge.asked_from ({self.judge.asked_from}) below loosest ({self.loosest}): from"
                " the embedding gate's cut on nobody is asked"
            )

    @property
    def judging(self) -> LeakJudgeParams | None:
        """The judge's section where that gate is on."""
        return self.judge if "judge" in self.gates else None
