"""What else than its inputs decides a student's bytes: installed packages, and this code."""

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

from llm2llm.exceptions import MachineError
from llm2llm.ids import sha256_file, sha256_json

PACKAGES = ("accelerate", "peft", "tokenizers", "torch", "transformers")


def package_versions(quantized: bool = False) -> dict[str, str]:
    """Look up the versions of the packages that compute, without importing them."""
    try:
        return {
            name: importlib.metadata.version(name)
            for name in (*PACKAGES, *(("bitsandbytes",) if quantized else ()))
        }
    except importlib.metadata.PackageNotFoundError as failure:
        extra = "quantized" if failure.name == "bitsandbytes" else "training"
        raise MachineError(
            f"{failure.name}: not installed; run `pip install 'llm2llm[{extra}]'`"
        ) from None


def sources_sha256(files: Iterable[str]) -> str:
    """Hash modules of this package by their text, so that no edit meets what older code stored.

    `files` are paths relative to the folder of the package `llm2llm`.
    """
    package = Path(__file__).parents[1]
    return sha256_json({name: sha256_file(package / name) for name in sorted(files)})
