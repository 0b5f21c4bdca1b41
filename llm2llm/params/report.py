"""Section `report`: what the page shows."""

from typing import Annotated

from pydantic import Field

from llm2llm.params.section import Section


class ReportParams(Section):
    """How many examples stand beside their seeds, and how many pairs closest to the test set."""

    n_examples_shown: Annotated[int, Field(ge=0)]
    n_closest_shown: Annotated[int, Field(ge=0)]
