"""What is withdrawn: entries of `export.exclude` and of section `sets`."""

from typing import Annotated

from pydantic import Field, model_validator

from llm2llm.params.section import Section

KINDS = ("seed", "example", "prompt", "teacher", "test_item")


class Exclusion(Section):
    """One thing that is withdrawn, whole ids only, and why; `llm2llm withdraw` writes these.

    A `seed` takes all that was written for it along, a `prompt` (the template's SHA-256) and a
    `teacher` (as reported) all that they wrote, a `test_item` every example to which no test item
    is nearer, with a score of `above` at least where that is given. The other names are left out.
    """

    seed: str | None = None
    example: str | None = None
    prompt: str | None = None
    teacher: str | None = None
    test_item: str | None = None
    above: Annotated[float, Field(ge=0, le=1)] | None = None
    reason: str

    @model_validator(mode="after")
    def _names_one_thing(self) -> "Exclusion":
        named = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(named) != 1:
            raise ValueError(f"exactly one of {', '.join(KINDS)} beside reason")
        if self.above is not None and self.test_item is None:
            raise ValueError("above only beside test_item, whose scores it bounds")
        return self

    @property
    def kind(self) -> str:
        """Say what kind of thing is withdrawn."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def id(self) -> str:
        """Name the thing."""
        return str(getattr(self, self.kind))

    @property
    def told(self) -> str:
        """Name kind and thing in words."""
        bound = "" if self.above is None else f" from score {self.above:g} on"
        return f"{self.kind.replace('_', ' ')} {self.id}{bound}"


class SetsParams(Section):
    """`exclude` is kept out of every set: what follows is trained and asked again without it."""

    exclude: list[Exclusion]
