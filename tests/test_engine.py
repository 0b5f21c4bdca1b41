"""Which engine answers, decided before anything large is imported."""

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from tiny_student import PREDICT

from llm2llm.cli.validate import engine_problems
from llm2llm.exceptions import MachineError, ParamsError
from llm2llm.student import engine
from llm2llm.student.drawing import Noise
from llm2llm.student.engine import choose_engine, vllm_version

ROOT = Path(__file__).resolve().parents[1]


def choose(version: str | None, kind: str, device: str, monkeypatch, **changes: object) -> str:
    """Choose as if this version of vLLM were installed."""
    monkeypatch.setattr(engine, "vllm_version", lambda: version)
    return choose_engine(PREDICT.model_copy(update=changes), kind, device)


@pytest.mark.parametrize(
    ("choice", "version", "device", "chosen"),
    [
        ("auto", "0.32.0", "cuda", "vllm"),
        ("auto", "0.32.1", "cpu", "transformers"),
        ("auto", None, "cuda", "transformers"),
        ("auto", "0.33.0", "cuda", "transformers"),
        ("transformers", "0.32.0", "cuda", "transformers"),
        ("vllm", "0.32.0", "cpu", "vllm"),
    ],
)
def test_auto_is_vllm_where_it_is_installed_with_a_gpu(
    monkeypatch: pytest.MonkeyPatch, choice: str, version: str | None, device: str, chosen: str
) -> None:
    """Without a GPU, without vLLM or with one of another series it is transformers."""
    assert choose(version, "causal", device, monkeypatch, engine=choice) == chosen


@pytest.mark.parametrize(("version", "found"), [(None, "no vLLM"), ("0.33.0", "vLLM 0.33.0")])
def test_vllm_that_is_asked_for_must_be_there(
    monkeypatch: pytest.MonkeyPatch, version: str | None, found: str
) -> None:
    """The message names what was found and how to install the other."""
    with pytest.raises(MachineError, match=f"found {found}, expected 0.32.*pip install"):
        choose(version, "causal", "cuda", monkeypatch, engine="vllm")


def test_a_classifier_has_an_engine_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Classifiers run by transformers; vLLM and draws are refused for them."""
    assert choose("0.32.0", "classifier", "cuda", monkeypatch) == "classifier"
    with pytest.raises(ParamsError, match=r"predict\.engine.*classifier"):
        choose("0.32.0", "classifier", "cuda", monkeypatch, engine="vllm")
    with pytest.raises(ParamsError, match=r"predict\.samples.*one answer"):
        choose(None, "classifier", "cpu", monkeypatch, samples=2)


def test_validate_tells_of_an_engine_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What predict would refuse after hours is a problem of the params."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(engine, "vllm_version", lambda: None)
    for changes, n_problems in (({}, 0), ({"engine": "vllm"}, 1)):
        changed = params | {"predict": params["predict"] | changes}
        (tmp_path / "params.yaml").write_text(yaml.safe_dump(changed), encoding="utf-8")
        assert len(list(engine_problems())) == n_problems


def test_a_folder_called_vllm_is_no_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be imported but is not installed as vLLM has no version."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: SimpleNamespace())
    monkeypatch.setattr(engine.importlib.metadata, "version", _not_installed)
    assert vllm_version() is None


def _not_installed(name: str) -> str:
    raise engine.importlib.metadata.PackageNotFoundError(name)


def test_noise_draws_from_the_softmax() -> None:
    """Ten thousand draws fall as the probabilities at that temperature say."""
    import torch

    probabilities = torch.tensor([0.6, 0.3, 0.1, 0.0])
    scores = (probabilities.log() * 2.0).expand(10_000, 4)
    drawn = Noise(range(10_000), temperature=2.0)(None, scores).argmax(-1)
    shares = torch.bincount(drawn, minlength=4) / 10_000
    assert torch.allclose(shares, probabilities, atol=0.02)
    assert shares[3] == 0
