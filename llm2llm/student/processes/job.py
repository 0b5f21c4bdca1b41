"""The folder by which a stage and the processes of its training know of each other."""

import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llm2llm import exceptions
from llm2llm.exceptions import Llm2llmError
from llm2llm.files import read_json, write_json


@dataclass(frozen=True, slots=True)
class JobFolder:
    """What is done (the arguments of `make`), what was printed, and what went wrong."""

    path: Path

    @property
    def log(self) -> Path:
        """Name the file that all that the processes print goes to."""
        return self.path / "log"

    @property
    def launch(self) -> Path:
        """Name the file that tells accelerate what to launch."""
        return self.path / "accelerate.json"

    @property
    def presence(self) -> Path:
        """Name the file that the processes lock while they live; it outlives the folder."""
        return self.path.parent / "presence"

    def start(self, arguments: Mapping[str, Any]) -> None:
        """Write a job where an earlier one may have left its folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()
        (self.path / "job").write_bytes(pickle.dumps(dict(arguments)))

    def arguments(self) -> dict[str, Any]:
        """Read the job."""
        found: dict[str, Any] = pickle.loads((self.path / "job").read_bytes())  # noqa: S301, our own
        return found

    def note(self, who: str, failure: Llm2llmError) -> None:
        """Leave a failure for the stage to raise."""
        found = {"kind": type(failure).__name__, "message": str(failure)}
        write_json(self.path / f"failure-{who}.json", found)

    def failure(self) -> Llm2llmError | None:
        """Give the failure of the lowest rank that could tell of one, else the launcher's."""
        for path in sorted(self.path.glob("failure-*.json")):
            found = read_json(path)
            failure: Llm2llmError = getattr(exceptions, found["kind"])(found["message"])
            return failure
        return None
