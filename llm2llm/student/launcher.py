"""The process between a stage and those that train together: accelerate's launcher."""

import os
import sys
from pathlib import Path

from llm2llm.exceptions import Llm2llmError, MachineError, StudentError
from llm2llm.student import launched
from llm2llm.student.compute import importing, lacking_gpus
from llm2llm.student.job import JobFolder
from llm2llm.student.lifetime import live_with


def main(folder: JobFolder, parent: int) -> None:
    """Launch the job in this folder, and live as long as the stage at most."""
    sys.stdout = sys.stderr  # standard output is for progress, which the leader writes
    with live_with(parent, folder.presence):
        try:
            _launch(folder)
        except Llm2llmError as failure:
            folder.note("launcher", failure)
            raise SystemExit(failure.exit_code) from None


def _launch(folder: JobFolder) -> None:
    """Run `accelerate launch`; raises what the stage is to raise."""
    with importing():
        import torch
        from accelerate.commands.launch import launch_command, launch_command_parser
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    job = folder.arguments()
    n = job["training"].params.processes
    if job["facts"]["device"] == "cuda" and torch.cuda.device_count() < n:
        raise MachineError(lacking_gpus(n, torch.cuda.device_count()))
    # `--multi_gpu` is what starts several processes, without a GPU too; each finds its device.
    options = f"--multi_gpu --num_processes {n} --num_machines 1 --main_process_port 0"
    entry = ["--module", launched.__name__, str(folder.path), str(os.getpid())]
    arguments = launch_command_parser().parse_args(
        [*options.split(), "--mixed_precision", "no", "--dynamo_backend", "no", *entry]
    )
    try:
        launch_command(arguments)
    except ChildFailedError as failure:
        rank, first = failure.get_first_failure()
        code = first.exitcode
        raise StudentError(
            f"training: process {rank} of {n} ended"
            f" {f'by signal {-code}' if code < 0 else f'with exit code {code}'}, expected 0;"
            f" {folder.log} says more; `dvc repro` goes on from the last complete state"
        ) from None


if __name__ == "__main__":
    main(JobFolder(Path(sys.argv[1])), int(sys.argv[2]))
