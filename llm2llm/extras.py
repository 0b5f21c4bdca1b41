"""Which extra of this package brings a package that is missing."""

import importlib.util

# pyproject.toml has the versions; a test compares the two.
EXTRAS = {
    "pipeline": ("dvc", "matplotlib", "openai", "httpx2", "tenacity"),
    "training": (
        "accelerate",
        "huggingface_hub",
        "peft",
        "psutil",
        "safetensors",
        "tokenizers",
        "torch",
        "transformers",
    ),
    "excel": ("fastexcel",),
    "hub": ("httpx2", "huggingface_hub"),
    "quantized": ("bitsandbytes",),
    "vllm": ("vllm",),
}


def is_installed(package: str) -> bool:
    """Tell whether a package could be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def install_line(package: str) -> str | None:
    """Write the command that installs a package as an extra; null for what no extra brings."""
    for extra, packages in EXTRAS.items():
        if package in packages:
            return f"pip install 'llm2llm[{extra}]'"
    return None


def missing(failure: ModuleNotFoundError) -> str | None:
    """Say what to install for an import that failed; null where no extra would help."""
    package = (failure.name or "").split(".")[0]
    line = install_line(package)
    return None if line is None else f"the package {package} is not installed; run `{line}`"
