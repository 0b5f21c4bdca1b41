"""Name the release bundle of a run."""

from llm2llm.files import read_json
from llm2llm.ids import sha256_file
from llm2llm.lineage.chain import Bundle
from llm2llm.lineage.run import Run


def bundle_of(run: Run) -> Bundle | None:
    """Name the bundle as its manifest does; null while there is none, as it is written last."""
    folder = run.exported().parent
    path = folder / "manifest.json"
    if not path.is_file():
        return None
    values = read_json(path)
    named = values if isinstance(values, dict) else {}
    return Bundle(
        path=folder.relative_to(run.root).as_posix(),
        name=named.get("name"),
        version=named.get("version"),
        manifest_sha256=sha256_file(path),
    )
