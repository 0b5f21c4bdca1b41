"""One of several processes that train together, as accelerate's launcher starts it."""

import json
import os
import sys
from pathlib import Path

from llm2llm.exceptions import Llm2llmError, MachineError
from llm2llm.files import as_json
from llm2llm.student.compute import importing
from llm2llm.student.making import make
from llm2llm.student.pace import Progress
from llm2llm.student.processes.job import JobFolder
from llm2llm.student.processes.lifetime import live_with
from llm2llm.student.processes.place import Place


def main(folder: JobFolder, parent: int) -> None:
    """Join the others and train with them; the leader prints progress, a JSON line each time."""
    with live_with(parent, folder.presence):
        # What a library prints would be no progress.
        stdout = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
        os.dup2(2, 1)
        with importing():
            from accelerate import PartialState

        job = folder.arguments()
        state = PartialState(cpu=job["facts"]["device"] == "cpu")
        place = Place(state.process_index, state.num_processes)

        def on_progress(progress: Progress) -> None:
            if place.leads:
                print(json.dumps(as_json(progress)), file=stdout)

        try:
            make(**job, on_progress=on_progress, place=place)
        except (Llm2llmError, OSError) as found:
            failure = found if isinstance(found, Llm2llmError) else MachineError.of(found)
            folder.note(f"{place.rank:04}", failure)
            raise SystemExit(failure.exit_code) from None
        state.destroy_process_group()


if __name__ == "__main__":
    main(JobFolder(Path(sys.argv[1])), int(sys.argv[2]))
