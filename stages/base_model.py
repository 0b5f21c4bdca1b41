"""Find, fetch or make the base model that every training starts from."""

from pathlib import Path

from llm2llm.files import link_or_copy, replacing_folder
from llm2llm.params.base_model import BaseModelParams
from llm2llm.params.loading import load_section
from llm2llm.progress import progress
from llm2llm.stage import PARAMS, run, say, store, waiting
from llm2llm.student.base import (
    EMBEDDED,
    describe_embedded,
    describe_outside,
    read_base,
    write_base,
)
from llm2llm.student.embedded_store import embedded_model

TARGET = Path("data/base")


def main() -> None:
    """Write data/base/."""
    params = load_section(PARAMS, "base_model", BaseModelParams)
    if params.model == EMBEDDED:
        with progress("base-model") as advance:
            embedded_model(
                params, store=store(), on_wait=waiting, on_progress=advance, use=write_embedded
            )
    else:
        with replacing_folder(TARGET) as folder:
            write_base(folder, describe_outside(params.model, params.revision))
    base = read_base(TARGET)
    say(f"base-model: {base.model} ({base.kind}), digest {base.digest[:12]}")


def write_embedded(made: Path) -> None:
    """Write data/base/ with the files of the embedded model."""
    with replacing_folder(TARGET) as folder:
        (folder / "model").mkdir()
        for path in sorted(made.iterdir()):
            link_or_copy(path, folder / "model" / path.name)
        write_base(folder, describe_embedded(folder / "model"))


if __name__ == "__main__":
    run(main)
