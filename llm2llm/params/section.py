"""What every section of params.yaml, and of a task file, has in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A strict, complete section: unknown keys are refused and no field has a default here."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
