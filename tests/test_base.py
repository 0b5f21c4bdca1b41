"""The base model: described by a digest, pinned, and refused where it is not what it was."""

import json
import shutil
from pathlib import Path

import pytest
from tiny_student import make_base

from llm2llm.exceptions import MachineError, StudentError
from llm2llm.student import compute
from llm2llm.student.base import Base, describe_outside, read_base, write_base
from llm2llm.student.pretrained import load_base

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one model's folder for all tests here."""
    return make_base(tmp_path_factory.mktemp("base")) / "model"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Go offline, with an empty hub cache."""
    from huggingface_hub import constants

    cache = tmp_path / "hub"
    cache.mkdir()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    return cache


def test_a_folder_is_described_by_what_it_holds(model: Path, tmp_path: Path) -> None:
    """Its copy elsewhere has the same digest; other weights, or another tokenizer, another."""
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    (copy / "README.md").write_text("of no effect")
    base = describe_outside(str(copy), None)
    assert (base.kind, base.model, base.revision) == ("path", str(copy), None)
    assert base.digest == describe_outside(str(model), None).digest
    config = json.loads((copy / "tokenizer_config.json").read_text())
    (copy / "tokenizer_config.json").write_text(json.dumps(config | {"note": 1}))
    assert describe_outside(str(copy), None).digest != base.digest
    other = make_base(tmp_path / "other", random_seed=1)
    assert read_base(other).digest != base.digest


def test_a_folder_that_changed_since_is_refused(model: Path, tmp_path: Path) -> None:
    """Training never starts from other weights than base.json says."""
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    write_base(tmp_path / "base", describe_outside(str(copy), None))
    load_base(tmp_path / "base")
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 0.5}))
    with pytest.raises(StudentError, match="changed after base-model ran"):
        load_base(tmp_path / "base")


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    """The message names what is not there."""
    with pytest.raises(StudentError, match=r"no config\.json"):
        describe_outside(str(tmp_path), None)


def test_a_model_that_is_no_causal_one_is_refused(model: Path, tmp_path: Path) -> None:
    """An unknown architecture is a StudentError."""
    copy = tmp_path / "copy"
    shutil.copytree(model, copy)
    (copy / "config.json").write_text(json.dumps({"model_type": "of_no_kind"}))
    write_base(tmp_path / "base", describe_outside(str(copy), None))
    with pytest.raises(StudentError, match="cannot be loaded as a causal language model"):
        load_base(tmp_path / "base")


def test_a_hub_model_is_pinned_to_its_commit(hub: Path, model: Path, tmp_path: Path) -> None:
    """A branch in the local cache is resolved, and loads by commit without a network."""
    repository = hub / "models--owner--name"
    shutil.copytree(model, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    base = describe_outside("owner/name", None)
    assert base == Base("hub", "owner/name", COMMIT, describe_outside(str(model), None).digest)
    write_base(tmp_path / "base", base)
    load_base(tmp_path / "base")


@pytest.mark.parametrize(
    ("name", "message"),
    [("owner/name", "neither a folder nor in the local hub cache"), ("./nowhere", "expected `em")],
)
def test_what_is_not_there_is_said(hub: Path, name: str, message: str) -> None:
    """Offline without the model, and a path that does not exist, say what to do."""
    with pytest.raises(StudentError, match=message):
        describe_outside(name, None)


def test_the_device_is_chosen_without_torch(tmp_path: Path) -> None:
    """CUDA is taken where driver and build are there; a stated choice stands."""
    driver = tmp_path / "version"
    assert compute.device_for("auto", "2.13.0", driver) == "cpu"
    driver.write_text("NVRM")
    assert compute.device_for("auto", "2.13.0", driver) == "cuda"
    assert compute.device_for("auto", "2.13.0+cpu", driver) == "cpu"
    assert compute.device_for("cpu", "2.13.0", driver) == "cpu"


def test_a_gpu_that_torch_cannot_use_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result made on a CPU is never stored as one made on a GPU."""
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MachineError, match="found no GPU"):
        compute.set_up("cuda", 1)
