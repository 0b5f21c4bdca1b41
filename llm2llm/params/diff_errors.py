"""Section `diff_errors`: which wrong seeds are asked about."""

from typing import Annotated

from pydantic import Field

from llm2llm.params.section import Section


class DiffErrorsParams(Section):
    """`max_examples_per_seed` caps the examples kept from one seed over all iterations."""

    max_examples_per_seed: Annotated[int, Field(ge=1)] | None
