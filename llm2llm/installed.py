"""The code that a project's stages were made for, listed by hash, against what is installed.

In a project made by `llm2llm init` the package lies outside the folder, where DVC cannot watch it.
So each stage depends on a listing of the modules that it imports: DVC sees when the listing
changes, and the stage refuses to run by other code than it lists.
"""

from collections.abc import Iterable
from pathlib import Path

from llm2llm.exceptions import MachineError
from llm2llm.ids import sha256_file

CODE = Path("stages/code")
_SHOWN = 3


def listing_of(stage: str) -> Path:
    """Name the listing of a stage, relative to the project."""
    return CODE / f"{stage}.sha256"


def write_listing(files: Iterable[str], site: Path) -> str:
    """List files of the package, as `sha256sum` does; `site` is the folder that holds it."""
    return "".join(f"{sha256_file(site / name)}  {name}\n" for name in sorted(files))


def require_listed(listing: Path, site: Path) -> None:
    """Raise MachineError where the installed code is not what a listing says."""
    differing = []
    for line in listing.read_text(encoding="utf-8").splitlines():
        sha256, _, name = line.partition("  ")
        path = site / name
        if not path.is_file() or sha256_file(path) != sha256:
            differing.append(name)
    if differing:
        more = f" and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
        raise MachineError(
            f"{listing}: the installed llm2llm has other code than this project was made for"
            f" ({', '.join(differing[:_SHOWN])}{more}); run `llm2llm upgrade`, which shows what"
            " changes, and `dvc repro` then runs again what that concerns"
        )
