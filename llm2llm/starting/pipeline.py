"""The pipeline of a project made from the package: the repository's own, with listings as deps."""

import re
from collections.abc import Iterator
from pathlib import Path

from llm2llm.exceptions import MachineError
from llm2llm.installed import listing_of, write_listing

# The folder that holds the package.
SITE = Path(__file__).resolve().parents[2]

_STAGE = re.compile(r"  ([a-z][a-z-]*):\s*$")
_SECTION = re.compile(r"[a-z]+:")
_MODULE = re.compile(r"(\s+)- (llm2llm/\S+)\s*$")
_REPOSITORY_ONLY = re.compile(r"#.*(first-party modules|make deps)")
_GUARD = """\
try:
    from llm2llm.guard import guard
except ModuleNotFoundError as failure:
    import sys

    lacking = f"{sys.executable}, which `python` is here, has no {failure.name}"
    sys.exit(f"error: {lacking}; activate the environment of llm2llm, then dvc repro again")

guard(__file__)  # before the imports below, which other code may not have
"""
_PIPELINES = ("dvc.yaml", "stages/dvc.yaml")


def source() -> Path:
    """Find the pipeline's files: in the package as built, else at the top of the repository."""
    shipped = SITE / "llm2llm/pipeline"
    if shipped.is_dir():
        return shipped
    if (SITE / "dvc.yaml").is_file() and (SITE / "stages").is_dir():
        return SITE
    raise MachineError(
        f"{shipped}: no such folder, so this llm2llm was built without its pipeline; install it"
        " from a wheel, or from a clone with `pip install -e .`"
    )


def pipeline_files() -> dict[str, str]:
    """Give the text of each file of the pipeline, by its path in a project."""
    folder = source()
    files = {
        f"stages/{path.name}": guarded(path.read_text(encoding="utf-8"))
        for path in sorted((folder / "stages").glob("*.py"))
    }
    files["stages/pool.yaml"] = (folder / "stages/pool.yaml").read_text(encoding="utf-8")
    for name in _PIPELINES:
        text = (folder / name).read_text(encoding="utf-8")
        files[name] = watching_listings(text)
        for stage, modules in modules_by_stage(text).items():
            files[str(listing_of(stage))] = write_listing(modules, SITE)
    return files


def guarded(script: str) -> str:
    """Have a stage look at the installed code before it imports what that code may lack."""
    docstring, imports = script.split("\n\n", 1)
    return f"{docstring}\n\n{_GUARD}\n{imports}"


def modules_by_stage(text: str) -> dict[str, list[str]]:
    """Name the files of the package that each stage of a dvc.yaml depends on."""
    found: dict[str, list[str]] = {}
    for stage, line in _lines(text):
        module = _MODULE.match(line)
        if module:
            found.setdefault(stage, []).append(module[2])
    return found


def watching_listings(text: str) -> str:
    """Put one listing in the place of each stage's modules; every other line stays."""
    kept = ["# Written by `llm2llm init`; `llm2llm upgrade` brings it up to date."]
    done: set[str] = set()
    for stage, line in _lines(text):
        module = _MODULE.match(line)
        if module is None:
            if not _REPOSITORY_ONLY.match(line):
                kept.append(line)
        elif stage not in done:
            done.add(stage)
            kept.append(f"{module[1]}- {listing_of(stage)}")
    return "\n".join(kept) + "\n"


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Yield each line with the stage that it belongs to, empty outside of stages."""
    section = stage = ""
    for line in text.splitlines():
        if _SECTION.match(line):
            section, stage = line, ""
        elif section.startswith("stages:") and (found := _STAGE.match(line)):
            stage = found[1]
        yield stage, line
