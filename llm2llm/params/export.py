"""Section `export`: what the release bundle holds."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from llm2llm.params.exclude import Exclusion
from llm2llm.params.section import Section

Form = Literal["parquet", "chat", "prompt_completion", "alpaca", "sharegpt"]


class CardParams(Section):
    """What only a person can declare about the data; null: the card says that nobody did.

    All of it counts as null where the seeds are not those of `seeds_file`, so that a declaration
    never outlives the data it was made for. `teacher_terms` is by model, as the teacher reported
    it. `license` names the bundle's with an identifier of the Hub, such as `mit`;
    `task_category` is one of the Hub's, such as `text-classification`; `url` is the data set's
    page.
    """

    seeds_file: str
    title: str | None
    description: str | None
    language: str | None
    task_category: str | None
    license: str | None
    license_url: str | None
    seeds_source: str | None
    seeds_license: str | None
    teacher_terms: dict[str, str]
    creator: str | None
    url: str | None
    date_published: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None
    citation: str | None


class ExportParams(Section):
    """`formats` are the forms of the set; Parquet, the record of truth, is always among them.

    A rejected candidate keeps its text only if its ROUGE-L F with every test item is below
    `rejected_text_below`; candidates that a leakage gate stopped never do. With `augmented_only`
    no seed is handed on, nor any text that could quote one. `exclude` lists what is withdrawn from
    the set as it is.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,60}$")]
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    formats: Annotated[list[Form], Field(min_length=1)]
    augmented_only: bool
    rejected_text_below: Annotated[float, Field(gt=0, le=1)]
    exclude: list[Exclusion]
    card: CardParams

    @field_validator("formats")
    @classmethod
    def _once_each(cls, formats: list[str]) -> list[str]:
        if len(set(formats)) < len(formats):
            raise ValueError("each format is named once")
        if "parquet" not in formats:
            raise ValueError("parquet among them, as the other forms are made from it")
        return formats
