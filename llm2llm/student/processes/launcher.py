"""The process between a stage and those that train together: accelerate's launcher."""

import os
import sys
from pathlib import Path

from llm2llm.exceptions import Llm2llmError, MachineError, StudentError
from llm2llm.files import write_json
from llm2llm.student.compute import forget_launchers, importing, lacking_gpus
from llm2llm.student.processes import member
from llm2llm.student.processes.job import JobFolder
from llm2llm.student.processes.lifetime import live_with


def main(folder: JobFolder, parent: int) -> None:
    """Launch the job in this folder, and live as long as the stage at most."""
    forget_launchers(os.environ)
    sys.stdout = sys.stderr  # standard output is for progress, which the leader writes
    with live_with(parent, folder.presence):
        try:
            launch(folder)
        except Llm2llmError as failure:
            folder.note("launcher", failure)
            raise SystemExit(failure.exit_code) from None


def launch(folder: JobFolder) -> None:
    """Run `accelerate launch`; raises what the stage is to raise."""
    with importing():
        import torch
        from accelerate.commands.launch import launch_command, launch_command_parser
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
        from torch.distributed.elastic.rendezvous import RendezvousError

    job = folder.arguments()
    n = job["training"].params.processes
    if job["facts"]["device"] == "cuda" and torch.cuda.device_count() < n:
        raise MachineError(lacking_gpus(n, torch.cuda.device_count()))
    # Without a file of ours accelerate reads the one in its user's cache.
    write_json(
        folder.launch,
        {
            "compute_environment": "LOCAL_MACHINE",
            # This starts several processes, without a GPU too; each finds its device.
            "distributed_type": "MULTI_GPU",
            "num_machines": 1,
            "num_processes": n,
            "gpu_ids": "all",
            "main_process_port": 0,
            "mixed_precision": "no",
        },
    )
    entry = [member.__name__, str(folder.path), str(os.getpid())]
    arguments = launch_command_parser().parse_args(
        ["--config_file", str(folder.launch), "--module", *entry]
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
    except (OSError, RendezvousError, RuntimeError, ValueError) as failure:
        raise StudentError(
            f"training: accelerate cannot run {n} processes ({failure}); mend it and run"
            " `dvc repro` again, or set `train_iter.processes: 1`"
        ) from None


if __name__ == "__main__":
    main(JobFolder(Path(sys.argv[1])), int(sys.argv[2]))
