"""Where a student computes: device, threads and precision."""

import gc
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from llm2llm.exceptions import MachineError

Device = Literal["cpu", "cuda"]
DeviceChoice = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "fp32", "bf16"]

# How torch words a failed allocation; on a CPU it has no exception of its own.
_SHORTAGE = ("not enough memory", "can't allocate memory", "out of memory")

# The kernel driver makes this file when it has found an NVIDIA card.
_NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
# It makes a folder here for each.
_NVIDIA_CARDS = Path("/proc/driver/nvidia/gpus")

# By these a shell tells accelerate and torchrun how to train: in bf16, on other machines too.
_LAUNCHERS_OWN = ("ACCELERATE_", "PET_")


def device_for(choice: DeviceChoice, torch_version: str, driver: Path = _NVIDIA_DRIVER) -> Device:
    """Decide the device without importing torch: `auto` is CUDA where card and build are there.

    CPU builds of torch carry `+cpu` in their version.
    """
    if choice != "auto":
        return choice
    return "cuda" if driver.exists() and "+cpu" not in torch_version else "cpu"


def too_many_processes(processes: int, device: Device, cards: Path = _NVIDIA_CARDS) -> str | None:
    """Say that there is no GPU for each process of a training; null where there may be.

    Torch is asked later: it may be kept from using some of the cards.
    """
    found = len(list(cards.iterdir())) if cards.is_dir() else 0
    if device == "cpu" or processes == 1 or processes <= found:
        return None
    return lacking_gpus(processes, found)


def lacking_gpus(processes: int, found: int) -> str:
    """Word it."""
    return (
        f"`train_iter.processes`: found {processes} for {found} GPUs, expected a GPU for each;"
        " lower it, or set `train_iter.device: cpu`"
    )


def forget_launchers(environment: MutableMapping[str, str]) -> None:
    """Drop settings of accelerate and torchrun: params alone say how to train."""
    for name in [name for name in environment if name.startswith(_LAUNCHERS_OWN)]:
        del environment[name]


@contextmanager
def importing() -> Iterator[None]:
    """Import large packages without garbage collection, as all that they make stays alive.

    Measured on torch with transformers' Trainer: 5.0 instead of 6.1 s.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def set_up(device: Device, threads: int) -> None:
    """Fix what would make two equal runs in two processes differ; raises MachineError for no GPU.

    Sums are split by the number of threads, so another number gives other bytes.
    """
    with importing():
        import torch
        import torch.utils.deterministic

    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != 1:
        torch.set_num_interop_threads(1)
    if device == "cuda" and not torch.cuda.is_available():
        raise MachineError(
            "device: found no GPU that torch can use, expected one as an NVIDIA driver is"
            " loaded or `device: cuda` is set; set `device: cpu`, or mend driver and torch"
        )
    torch.use_deterministic_algorithms(True, warn_only=device == "cuda")
    # Filling memory that is written anyway costs time and hides nothing here.
    torch.utils.deterministic.fill_uninitialized_memory = False


@contextmanager
def set_up_for(device: Device, threads: int) -> Iterator[None]:
    """Set up for a while: afterwards torch and all random generators are as they were before.

    Only the number of threads between operations stays, which torch lets nobody set twice.
    """
    import random

    import numpy as np

    with importing():
        import torch
        from torch.utils import deterministic

    n_threads = torch.get_num_threads()
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    only_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    filled = deterministic.fill_uninitialized_memory
    drawn = random.getstate(), np.random.get_state()
    set_up(device, threads)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(drawn[0])
        np.random.set_state(drawn[1])
        torch.set_num_threads(n_threads)
        torch.use_deterministic_algorithms(was_deterministic, warn_only=only_warned)
        deterministic.fill_uninitialized_memory = filled


def uses_bf16(precision: Precision, device: Device) -> bool:
    """Say whether to compute in bf16: `auto` does so where the hardware has it."""
    if precision == "auto":
        import torch

        return device == "cuda" and bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return precision == "bf16"


def is_shortage(failure: BaseException) -> bool:
    """Say whether this is a failed allocation, on a CPU or a GPU."""
    return isinstance(failure, MemoryError) or (
        isinstance(failure, RuntimeError) and any(words in str(failure) for words in _SHORTAGE)
    )


def quiet(transformers: Any) -> None:
    """Keep transformers' own progress bars and warnings out of a stage's output."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
