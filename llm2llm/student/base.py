"""The base model: where its weights lie, and a digest of all of them that matters."""

from dataclasses import asdict, dataclass
from pathlib import Path

from llm2llm.exceptions import StudentError
from llm2llm.files import read_json, write_json
from llm2llm.ids import sha256_file, sha256_json
from llm2llm.student.checkpoint import checkpoint_sha256

EMBEDDED = "embedded"

# Everything besides the weights that changes what a model computes from a text.
_FILES = (
    "added_tokens.json",
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "merges.txt",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "vocab.json",
    "vocab.txt",
)


@dataclass(frozen=True, slots=True)
class Base:
    """What data/base/base.json says; `kind` is embedded, path or hub.

    `revision` is the hub commit, else null; `digest` covers weights, configuration and tokenizer.
    """

    kind: str
    model: str
    revision: str | None
    digest: str


def model_digest(folder: Path) -> str:
    """Hash a model's folder: its checkpoint, its configuration and its tokenizer's files."""
    if (folder / "adapter_config.json").exists():
        raise StudentError(
            f"{folder}: found a LoRA adapter, expected a whole model; set `base_model.model` to the"
            " model that it was trained on, or merge the two first"
        )
    if not (folder / "config.json").exists():
        raise StudentError(
            f"{folder}: found no config.json, expected a model's folder; check `base_model.model`"
        )
    files = {name: sha256_file(folder / name) for name in _FILES if (folder / name).exists()}
    return sha256_json({"checkpoint": checkpoint_sha256(folder), "files": files})


def describe_embedded(folder: Path) -> Base:
    """Describe the embedded student, whose files lie in `folder`."""
    return Base("embedded", EMBEDDED, None, model_digest(folder))


def describe_outside(model: str, revision: str | None) -> Base:
    """Describe a local folder, or a hub id, which is fetched and pinned to a commit."""
    if Path(model).is_dir():
        return Base("path", model, None, model_digest(Path(model)))
    folder = _fetch(model, revision)
    # The hub's cache names a snapshot's folder after its commit.
    return Base("hub", model, folder.name, model_digest(folder))


def local_folder(model: str, revision: str | None) -> Path | None:
    """Find the folder of a local model, or of a hub model that was fetched before; ask no hub."""
    if Path(model).is_dir():
        return Path(model)
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(model, "config.json", revision=revision)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def write_base(folder: Path, base: Base) -> None:
    """Write base.json."""
    write_json(folder / "base.json", asdict(base))


def read_base(folder: Path) -> Base:
    """Read base.json."""
    return Base(**read_json(folder / "base.json"))


def weights_folder(base_folder: Path, base: Base) -> Path:
    """Find the base model's files; raises StudentError where a local folder has changed since."""
    if base.kind == "embedded":
        return base_folder / "model"
    if base.kind == "hub":
        return _fetch(base.model, base.revision)
    found = model_digest(Path(base.model))
    if found != base.digest:
        raise StudentError(
            f"{base.model}: found a model of digest {found[:12]}, expected {base.digest[:12]}: its"
            " files changed after base-model ran; run `dvc repro --force base-model`"
        )
    return Path(base.model)


def _fetch(model: str, revision: str | None) -> Path:
    """Find a hub model in the local cache, or download it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = ["*.safetensors", "*.safetensors.index.json", *_FILES]
    try:
        if revision is not None:
            try:
                return Path(
                    snapshot_download(
                        model, revision=revision, allow_patterns=patterns, local_files_only=True
                    )
                )
            except LocalEntryNotFoundError:
                pass  # not fetched on this machine yet
        return Path(snapshot_download(model, revision=revision, allow_patterns=patterns))
    except HFValidationError:
        raise StudentError(
            f"`base_model.model`: found {model!r}, expected `embedded`, a folder that exists or a"
            " hub id such as owner/name; change it"
        ) from None
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as failure:
        raise StudentError(
            f"`base_model.model`: {model}: neither a folder nor in the local hub cache, and the hub"
            f" did not give it ({type(failure).__name__}); check the name and your access, or"
            " download it where there is a network and set its folder"
        ) from None
