"""What every section about an OpenAI-compatible endpoint says: address, model, sampling."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, JsonValue, field_validator

from llm2llm.params.section import Section

_OWN_FIELDS = frozenset(
    {
        "max_tokens",
        "messages",
        "model",
        "n",
        "response_format",
        "seed",
        "stream",
        "temperature",
        "top_p",
    }
)


class OpenAIChatParams(Section):
    """An OpenAI-compatible chat endpoint; null sampling fields are not sent.

    `api_key_env` names an environment variable, in capitals so that a key pasted there by mistake
    is refused; null for an endpoint that asks for no key.
    `revision` is not sent: it tells apart what one model name stood for at different times.
    `random_seed` gives each request a `seed` of its own.
    """

    # `repr=False`: where a secret may be pasted by mistake, no message shows what was found.
    base_url: Annotated[str, Field(repr=False)]
    model: Annotated[str, Field(min_length=1)]
    revision: str | None
    api_key_env: Annotated[
        Annotated[str, Field(pattern=r"^[A-Z_][A-Z0-9_]*$")] | None, Field(repr=False)
    ]
    temperature: Annotated[float, Field(ge=0)] | None
    top_p: Annotated[float, Field(gt=0, le=1)] | None
    max_tokens: Annotated[int, Field(ge=1)] | None
    random_seed: int | None
    response_format: Literal["json_schema", "json_object", "none"]
    extra_body: Annotated[dict[str, JsonValue], Field(repr=False)]

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        # The address is written to the ledger and to dvc.lock, so no secret may stand in it.
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an address such as http://127.0.0.1:8000/v1")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("an address without user name, password or query")
        return value

    @field_validator("extra_body")
    @classmethod
    def _no_second_way(cls, value: dict[str, JsonValue]) -> dict[str, JsonValue]:
        taken = sorted(_OWN_FIELDS & set(value))
        if taken:
            raise ValueError(f"fields other than {', '.join(taken)}, which are set elsewhere")
        return value


def missing_key(variable: str, section: str) -> str:
    """Say that the variable which holds a key is not set; `section` is where it is named."""
    return (
        f"`{section}.api_key_env`: the environment variable {variable} is not set;"
        f" `export {variable}=...`, or set it to null for an endpoint without keys"
    )
