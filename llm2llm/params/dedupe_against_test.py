"""Section `dedupe_against_test`: which candidates are too close to test or to training rows."""

from typing import Annotated

from pydantic import Field, model_validator

from llm2llm.params.section import Section

Share = Annotated[float, Field(gt=0, le=1)]


class GateCut(Section):
    """The cut of one gate: `default` without enough unused rows, `strictest` with them."""

    default: Share
    strictest: Share


class DedupeParams(Section):
    """Cuts are shares from 0 to 1: the lower, the more is rejected.

    `loosest` bounds what calibration may set; `extra_words` lowers the cut of both ROUGE-L gates
    for short texts; `duplicate_cut` must be exceeded, the others reached.
    """

    ngram_words: Annotated[int, Field(ge=1)]
    extra_words: Annotated[int, Field(ge=0)]
    coverage: GateCut
    rouge: GateCut
    masked: GateCut
    loosest: Share
    flag_rate: Annotated[float, Field(gt=0, lt=1)]
    calibration_rows: Annotated[int, Field(ge=0)]
    duplicate_cut: Share
    n_planted: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _ordered(self) -> "DedupeParams":
        for name in ("coverage", "rouge", "masked"):
            cut = getattr(self, name)
            if not cut.strictest <= cut.default <= self.loosest:
                raise ValueError(
                    f"{name}: strictest ({cut.strictest}) <= default ({cut.default}) <= loosest "
                    f"({self.loosest})"
                )
        return self
