"""Whether the raw files are still what `init` wrote, as their source note has it."""

import json
from collections.abc import Iterator
from pathlib import Path

from llm2llm.ids import sha256_file

NOTE = Path("data/raw/source.json")


def source_notes(root: Path) -> Iterator[str]:
    """Yield a line for each raw file that is another; none where the project has no note."""
    try:
        note = json.loads((root / NOTE).read_text(encoding="utf-8"))
        files = {name: (str(of["sha256"]), int(of["rows"])) for name, of in note["files"].items()}
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as failure:
        yield f"{NOTE}: cannot be read ({failure}), so where the rows come from is not known"
        return
    for name, (sha256, n_rows) in files.items():
        path = NOTE.parent / name
        if not (root / path).is_file():
            yield f"{path}: no such file, though {NOTE} names it; `git checkout {path}`"
        elif sha256_file(root / path) != sha256:
            n_lines = (root / path).read_bytes().count(b"\n")
            yield (
                f"{path}: not as `init` wrote it ({n_rows} rows then, {n_lines} lines now), so"
                f" {NOTE} no longer says where its rows come from; `git checkout {path}`"
                " brings it back, and for other rows make another project with `llm2llm init`"
            )
