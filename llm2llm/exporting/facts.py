"""What card and metadata tell about a bundle, gathered while it was written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llm2llm.exporting.examples import LeftOut
from llm2llm.exporting.withdrawn import Withdrawn
from llm2llm.lineage.history import History
from llm2llm.params.export import CardParams, ExportParams

_NULL_CARD: dict[str, Any] = {
    **dict.fromkeys(CardParams.model_fields),
    "seeds_file": "",
    "teacher_terms": {},
}


@dataclass(slots=True)
class Tally:
    """Rows written so far, those without their text, and examples `withdrawn` by each entry.

    `reviewed` counts people's decisions by what became of them.
    """

    rows: Counter[str] = field(default_factory=Counter)
    without_text: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    teachers: Counter[str] = field(default_factory=Counter)
    gates: Counter[str] = field(default_factory=Counter)
    withdrawn: dict[str, int] = field(default_factory=dict)
    reviewed: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """A bundle as a whole; `params` are all sections that data depend on, `task` is the task file.

    `declared` is the card's section, or nulls where it was made for other seeds; `reviewed` counts
    people's decisions, empty where there are none.
    """

    export: ExportParams
    declared: CardParams
    params: Mapping[str, Any]
    task: Mapping[str, Any]
    set_number: int
    history: History
    certificates: Sequence[Mapping[str, Any]]
    tally: Tally
    left_out: Sequence[LeftOut]
    withdrawn: Withdrawn
    reviewed: Mapping[str, int] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Name the set for people."""
        return self.declared.title or self.export.name


def declared_for(card: CardParams, seeds_file: object) -> CardParams:
    """Give the declarations if they were made for these seeds, else none."""
    if card.seeds_file == seeds_file:
        return card
    return CardParams.model_validate({**_NULL_CARD, "seeds_file": card.seeds_file})
