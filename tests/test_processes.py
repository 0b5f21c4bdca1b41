"""Several processes that train together: they end as one does, and end when they should."""

import contextlib
import fcntl
import multiprocessing
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from tiny_student import (
    EXAMPLES,
    LABELED,
    PRELOAD,
    TRAIN,
    a_classifier,
    a_training,
    in_child,
    make_base,
    make_encoder,
    train,
)

from llm2llm.exceptions import MachineError, ParamsError, StudentError
from llm2llm.files import as_json, read_json, write_json
from llm2llm.params.train_iter import EarlyStoppingParams, TrainIterParams
from llm2llm.student.compute import too_many_processes
from llm2llm.student.pace import Progress
from llm2llm.student.processes import group, launcher, member
from llm2llm.student.processes.job import JobFolder
from llm2llm.student.processes.lifetime import live_with, wait_for_all
from llm2llm.student.processes.place import Place
from llm2llm.student.trainer_run import check_shared
from llm2llm.student.training import train_student
from llm2llm.student.training_facts import Training, check, facts_of
from llm2llm.student.training_state import newest_complete
from llm2llm.training_stage import train_as_params_say

# Seconds for what takes a few of them: who waits longer waits for ever.
_GENEROUS = 300
STILL = TRAIN.lora.model_copy(update={"dropout": 0.0})


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one base model for all tests here."""
    return make_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one encoder for all tests here."""
    return make_encoder(tmp_path_factory.mktemp("encoder"))


def a_job(training: Training, folder: Path) -> JobFolder:
    """Write down what a group is to do, with a state every 3 updates, or 25 of many."""
    (folder / "states").mkdir(parents=True, exist_ok=True)
    newest_complete(folder / "states")
    job = JobFolder(folder / "processes")
    job.start(
        {
            "training": training,
            "facts": facts_of(training),
            "student": folder / "student",
            "states": folder / "states",
            "checkpoint_every_steps": 3 if training.n_updates is None else 25,
        }
    )
    return job


def in_ranks(training: Training, folder: Path, kill_at: int | None = None) -> list[int]:
    """Train as the launcher would have it, in processes that need not import torch first.

    The one that leads kills itself at update `kill_at`.
    """
    from torch.distributed import TCPStore

    job = a_job(training, folder)
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    n = training.params.processes
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    ranks = [
        context.Process(target=_rank, args=(job, rank, n, store.port, kill_at)) for rank in range(n)
    ]
    for process in ranks:
        process.start()
    for rank, process in enumerate(ranks):
        process.join(_GENEROUS)
        if process.is_alive():
            for other in ranks:
                other.kill()
            pytest.fail(f"process {rank} of {n} is still there after {_GENEROUS} s")
    return [process.exitcode for process in ranks]


def _rank(job: JobFolder, rank: int, n: int, port: int, kill_at: int | None) -> None:
    import torch

    def told(progress: Progress) -> dict[str, Any]:
        if progress.n_done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return as_json(progress)

    member.as_json = told
    found = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": n, "LOCAL_WORLD_SIZE": n}
    found |= {"MASTER_PORT": port, "MASTER_ADDR": "127.0.0.1", "OMP_NUM_THREADS": 1}
    os.environ |= {name: str(value) for name, value in found.items()}
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
    parallel = torch.nn.parallel.DistributedDataParallel
    made = parallel.__init__

    def checked(self: Any, *arguments: Any, **options: Any) -> None:
        # A gradient that is kept twice is not in the estimate of memory.
        assert options.get("gradient_as_bucket_view")
        made(self, *arguments, **options)

    parallel.__init__ = checked
    member.main(job, os.getppid())


def tensors(student: Path) -> dict[str, Any]:
    """Read a student's weights."""
    from safetensors.torch import load_file

    (path,) = student.glob("*.safetensors")
    return load_file(path)


def files(student: Path) -> Mapping[str, bytes]:
    """Read all that a student consists of."""
    return {path.name: path.read_bytes() for path in student.iterdir() if path.name != "complete"}


CASES = {
    # The last micro-batches of most updates are empty, and with five rows whole ranks are idle.
    "full": lambda base, _: a_training(base, micro_batch_size=1, examples=EXAMPLES[:5]),
    "lora": lambda base, _: a_training(
        base, method="lora", lora=STILL, gradient_checkpointing=True
    ),
    "classifier": lambda _, encoder: a_classifier(
        encoder, early_stopping=EarlyStoppingParams(patience=1), dev=LABELED[:9], examples=LABELED
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_two_processes_end_as_one_does(
    base: Path, encoder: Path, tmp_path: Path, case: str
) -> None:
    """Weights, loss curve and looks at dev rows are those of one process, up to rounding."""
    import torch

    one = CASES[case](base, encoder)
    alone = train(one, tmp_path)
    two = replace(one, params=one.params.model_copy(update={"processes": 2}))
    assert in_ranks(two, tmp_path / "two") == [0, 0]
    together = tmp_path / "two/student"
    torch.testing.assert_close(tensors(together), tensors(alone), rtol=1e-4, atol=1e-5)
    expected, found = read_json(alone / "manifest.json"), read_json(together / "manifest.json")
    assert found["params"].pop("processes") == 2
    assert "processes" not in expected["params"]
    for name in ("losses", "early_stopping", "checkpoint_sha256"):
        left, right = found.pop(name, None), expected.pop(name, None)
        if name != "checkpoint_sha256":
            assert _rounded(left) == _rounded(right)
    assert found == expected


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return pytest.approx(value, rel=1e-3) if isinstance(value, float) else value


def test_one_process_that_is_killed_changes_no_byte(base: Path, tmp_path: Path) -> None:
    """The others end with it; all go on from the newest complete state, dropout included."""
    training = a_training(base, method="lora", processes=2)
    assert in_ranks(training, tmp_path / "clean") == [0, 0]
    assert -signal.SIGKILL in in_ranks(training, tmp_path / "killed", 8)
    assert newest_complete(tmp_path / "killed/states").name == "checkpoint-6"
    assert in_ranks(training, tmp_path / "killed") == [0, 0]
    assert files(tmp_path / "killed/student") == files(tmp_path / "clean/student")


def test_a_stage_that_is_killed_takes_its_processes_along(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds the lock that a successor waits for; that one goes on and ends in the same bytes.

    This is the whole way, from the stage through accelerate's launcher, which the successor starts
    where a user has told accelerate, and torchrun, of something else.
    """
    training = a_training(base, processes=2, n_updates=_MANY)
    assert in_child(_killed, training, tmp_path) == -signal.SIGKILL
    (folder,) = tmp_path.glob("work/*")
    wait_for_all(folder / "presence", lambda _: None)
    write_json(
        tmp_path / "home/accelerate/default_config.yaml",
        {"distributed_type": "NO", "gpu_ids": "0", "num_processes": 1, "mixed_precision": "bf16"},
    )
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PET_NNODES", "two")
    monkeypatch.setenv("ACCELERATE_CPU_AFFINITY", "neither true nor false")
    steps = []
    student = _train(training, tmp_path, lambda done: steps.append(done))
    assert 25 <= steps[0] < _MANY
    assert steps == [*range(steps[0], _MANY + 1)]
    assert sorted(path.name for path in folder.iterdir()) == ["lock", "presence", "student"]
    assert in_ranks(training, tmp_path / "clean") == [0, 0]
    assert files(student) == files(tmp_path / "clean/student")


# Lines of progress have more than 70 bytes: with so many to come a group whose stage does not
# listen stands still, at two pipes full of them, before it is done.
_MANY = 30 + 2 * 4096 // 70


def _killed(training: Training, store: Path) -> None:
    group.subprocess.Popen = partial(subprocess.Popen, pipesize=4096)

    def on_progress(done: int) -> None:
        if done == 30:
            (launcher,) = children(os.getpid())
            (presence,) = store.glob("work/*/presence")
            group = [launcher, *children(launcher)]
            assert len(group) == 3
            for pid in group:
                opened = {os.path.realpath(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
                assert str(presence) in opened
            with presence.open() as stream, pytest.raises(BlockingIOError):
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.kill(os.getpid(), signal.SIGKILL)

    _train(training, store, on_progress)


def _train(training: Training, store: Path, on_progress: Callable[[int], None]) -> Path:
    return train_student(
        training,
        store=store,
        checkpoint_every_steps=25,
        on_wait=lambda _holder: None,
        on_progress=lambda progress: on_progress(progress.n_done),
        use=lambda _student: None,
    )


def children(pid: int) -> list[int]:
    """List the processes of a group that a process started."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        # Others come and go meanwhile.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if b"llm2llm.student.processes" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(int(child))
    return found


def test_a_process_that_cannot_tell_is_told_of_by_the_launcher(base: Path, tmp_path: Path) -> None:
    """One that is killed ends the others, and the message names it, its signal and the log."""
    job = a_job(a_training(base, processes=2), tmp_path)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    process = context.Process(target=_launcher, args=(job,))
    process.start()
    while len(found := children(process.pid)) < 2:
        assert process.is_alive()
        time.sleep(0.01)
    os.kill(found[1], signal.SIGKILL)
    process.join(_GENEROUS)
    assert process.exitcode == StudentError.exit_code
    wait_for_all(job.presence, lambda _: None)
    failure = job.failure()
    assert type(failure) is StudentError
    assert re.search(r"process \d of 2 ended by signal 9, expected 0; .*/log says", str(failure))


def _launcher(job: JobFolder) -> None:
    launcher.main(job, os.getppid())


def test_a_launcher_that_cannot_begin_says_why(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What accelerate raises comes with its reason; it is told of two processes on one machine."""
    from accelerate.commands.launch import _validate_launch_command

    asked = []

    def refusing(arguments: Any) -> None:
        asked.append(_validate_launch_command(arguments)[0])
        raise ValueError("no port is free")

    monkeypatch.setattr("accelerate.commands.launch.launch_command", refusing)
    job = a_job(a_training(base, processes=2), tmp_path)
    with pytest.raises(StudentError, match=r"cannot run 2 processes \(no port is free\); mend it"):
        launcher.launch(job)
    (found,) = asked
    assert (found.multi_gpu, found.num_processes, found.num_machines) == (True, 2, 1)
    assert (found.mixed_precision, found.gpu_ids, found.main_process_port) == ("no", "all", 0)


def test_what_a_shell_tells_launchers_is_dropped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage that trains forgets it first: accelerate would compute in bf16 where it says so."""
    found = {"ACCELERATE_MIXED_PRECISION": "bf16", "PET_NNODES": "2", "PETS": "3", "HOME": "/"}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParamsError):
        train_as_params_say("train", [], tmp_path / "student")
    assert [os.environ.get(name) for name in found] == [None, None, "3", "/"]


def test_a_failure_in_a_process_is_the_stages(base: Path, tmp_path: Path) -> None:
    """What a process raises comes with its class and its message, and no state is kept of it."""
    training = a_training(base, learning_rate=1e30, max_grad_norm=None, processes=2)
    assert StudentError.exit_code in in_ranks(training, tmp_path)
    failure = JobFolder(tmp_path / "processes").failure()
    assert type(failure) is StudentError
    assert "expected a number; lower `train_iter.learning_rate`" in str(failure)
    assert not (tmp_path / "student").exists()


def test_a_loss_that_cannot_be_shared_out_is_refused() -> None:
    """A mean of means is not the mean over an update; alone, or with a loss of ours, it holds."""
    own, ours = SimpleNamespace(model_accepts_loss_kwargs=False), max
    for n, loss in ((1, None), (2, ours)):
        check_shared(own, SimpleNamespace(place=Place(0, n), loss=loss))
    check_shared(
        SimpleNamespace(model_accepts_loss_kwargs=True),
        SimpleNamespace(place=Place(1, 2), loss=None),
    )
    with pytest.raises(StudentError, match=r"`train_iter.processes`: found 2, expected 1"):
        check_shared(own, SimpleNamespace(place=Place(0, 2), loss=None))


def test_a_process_whose_parent_is_gone_does_not_begin(tmp_path: Path) -> None:
    """It exits, as the parent that it was told of is not its own."""
    assert in_child(live_with, os.getpid(), tmp_path / "presence") == 1


def test_a_wait_for_processes_is_told(tmp_path: Path) -> None:
    """Whoever waits until an earlier group has ended says so, once; else nothing is said."""
    presence, told = tmp_path / "presence", []
    with presence.open("a") as held:
        fcntl.flock(held, fcntl.LOCK_SH)

        def on_wait(holder: str) -> None:
            told.append(holder)
            held.close()

        wait_for_all(presence, on_wait)
    wait_for_all(presence, told.append)
    assert told == ["a group of processes that is being ended"]


@pytest.mark.parametrize(
    ("micro", "message"),
    [
        (None, "batch_size is a multiple of processes, found 6 for 4"),
        (2, "batch_size is a multiple of processes times micro_batch_size, found 6 for 8"),
    ],
)
def test_a_batch_that_cannot_be_split_is_refused(micro: int | None, message: str) -> None:
    """Every process takes as many rows of an update."""
    params = TRAIN.model_dump() | {"batch_size": 6, "micro_batch_size": micro}
    assert TrainIterParams.model_validate(params | {"processes": 3 if micro else 2})
    with pytest.raises(ValidationError, match=message):
        TrainIterParams.model_validate(params | {"processes": 4})


def test_more_processes_than_gpus_are_refused(base: Path, tmp_path: Path) -> None:
    """A CPU takes as many as one likes; a card takes one, and none is started beyond that."""
    (tmp_path / "0000:01:00.0").mkdir()
    assert too_many_processes(9, "cpu", tmp_path) is None
    assert too_many_processes(1, "cuda", tmp_path) is None
    assert "found 2 for 1 GPUs, expected a GPU for each" in str(
        too_many_processes(2, "cuda", tmp_path)
    )
    with pytest.raises(MachineError, match=r"`train_iter.processes`: found 6 for \d GPUs"):
        check(a_training(base, device="cuda", processes=6))
