"""Section `base_model`: the pretrained weights that every training starts from."""

from typing import Annotated

from pydantic import Field

from llm2llm.params.section import Section


class BaseModelParams(Section):
    """`model` is `embedded`, a local folder, or the name of a repository on a model hub.

    `revision` names the hub repository's commit, tag or branch. `random_seed`, `n_tokens` and
    `threads` make the embedded student and concern no other model; threads change no bytes.
    """

    model: str
    revision: str | None
    random_seed: int
    n_tokens: Annotated[int, Field(ge=1)]
    threads: Annotated[int, Field(ge=1)]
