"""Section `report`: what the page shows."""

from typing import Annotated

from pydantic import Field

from llm2llm.params.section import Section

Number = Annotated[int, Field(ge=0)]


class ReportParams(Section):
    """How much of a large run stands in the page; the commands show the rest."""

    n_examples_shown: Number
    n_closest_shown: Number
    n_suspects_shown: Number
    n_table_examples: Number
    n_table_characters: Annotated[int, Field(ge=20)]
