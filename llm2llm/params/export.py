"""Section `export`: what the release bundle holds."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from llm2llm.params.section import Section


class ExportParams(Section):
    """`formats` are the forms of the set.

    A rejected candidate keeps its text only if its ROUGE-L F with every test item is below
    `rejected_text_below`; candidates that a leakage gate stopped never do.
    """

    formats: Annotated[list[Literal["parquet", "chat"]], Field(min_length=1)]
    rejected_text_below: Annotated[float, Field(gt=0, le=1)]

    @field_validator("formats")
    @classmethod
    def _once_each(cls, formats: list[str]) -> list[str]:
        if len(set(formats)) < len(formats):
            raise ValueError("each format is named once")
        return formats
