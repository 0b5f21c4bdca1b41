"""Whether the model hub and the teacher's endpoint answer, asked before any work."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable

from llm2llm.exceptions import Llm2llmError
from llm2llm.params.openai_chat import OpenAIChatParams
from llm2llm.starting.choices import HUB_ID
from llm2llm.student.base import EMBEDDED, local_folder

_HUB = "https://huggingface.co"
_TIMEOUT_S = 10.0
# No failure of the library's may tell it, as it would show the key.
_NO_KEY = (
    "the variable's value holds line ends or signs that no key has; export it again, without what"
    " was copied along"
)
_FAULTS = (urllib.error.URLError, http.client.HTTPException, OSError, ValueError)


def hub_problem(
    model: str, revision: str | None, environment: Callable[[str], str | None]
) -> str | None:
    """Say why a hub model cannot be fetched; null for a local one, or one fetched before."""
    if model == EMBEDDED or model.startswith((".", "/", "~")):
        return None
    try:
        if local_folder(model, revision) is not None:
            return None
    except (ModuleNotFoundError, Llm2llmError):
        return None  # that the package is missing is told by another look
    where = (
        "name the folder of a model that you downloaded where there is a network, or set"
        " HF_ENDPOINT to a hub that answers"
    )
    if environment("HF_HUB_OFFLINE") in ("1", "true", "True", "ON", "YES"):
        return (
            f"`base_model.model`: {model} is not in this machine's hub cache, and HF_HUB_OFFLINE is"
            f" set; unset it, or {where}"
        )
    if not HUB_ID.fullmatch(model):
        return (
            f"`base_model.model`: found {model!r}, expected the id of a hub's model, such as"
            " Qwen/Qwen2.5-0.5B-Instruct, or a folder, whose path begins with ./, / or ~"
        )
    hub = (environment("HF_ENDPOINT") or _HUB).rstrip("/")
    if "@" in hub:
        return None  # a password, which urllib does not take and no message may show
    url = f"{hub}/api/models/{model}" + (f"/revision/{revision}" if revision else "")
    token = environment("HF_TOKEN")
    if token and not _is_key(token):
        return f"HF_TOKEN: {_NO_KEY}"
    status = _status(url, token)
    if isinstance(status, str):
        return f"`base_model.model`: {model}: {hub} does not answer ({status}); {where}"
    if status in (401, 403, 404):
        return (
            f"`base_model.model`: {hub} does not give {model} (status {status}); check the name"
            " and the revision, and for a gated model your access and HF_TOKEN"
        )
    return None


def endpoint_problem(
    section: str, endpoint: OpenAIChatParams, environment: Callable[[str], str | None]
) -> str | None:
    """Say why the teacher would not answer; null also where it keeps no list of models."""
    key = environment(endpoint.api_key_env) if endpoint.api_key_env else None
    if endpoint.api_key_env and not (key or "").strip():
        return None  # a missing key is told by another look
    if key and not _is_key(key):
        return f"`{section}.api_key_env`: {endpoint.api_key_env}: {_NO_KEY}"
    status = _status(endpoint.base_url.rstrip("/") + "/models", key)
    if isinstance(status, str):
        return (
            f"`{section}.base_url`: {endpoint.base_url} does not answer ({status}); start the"
            " teacher there, or correct the address"
        )
    if status in (401, 403) and not endpoint.api_key_env:
        return (
            f"`{section}.api_key_env`: found null, and {endpoint.base_url} wants a key (status"
            f" {status}); name the environment variable that holds it"
        )
    if status in (401, 403):
        return (
            f"`{section}.api_key_env`: {endpoint.base_url} refuses the key (status {status});"
            f" check {endpoint.api_key_env}"
        )
    return None


def _is_key(text: str) -> bool:
    return text.strip().isascii() and text.strip().isprintable()


def _status(url: str, key: str | None) -> int | str:
    """Ask a URL: the status of its answer, or why there is none. No key is shown."""
    request = urllib.request.Request(url)  # noqa: S310 - params allow http and https alone
    if key:
        # A redirect may lead to another host, which has no business with the key.
        request.add_unredirected_header("Authorization", f"Bearer {key.strip()}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except urllib.error.HTTPError as failure:
        return failure.code
    except _FAULTS as failure:
        reason = getattr(failure, "reason", failure)
        return f"{type(reason).__name__}: {reason}" if not isinstance(reason, str) else reason
