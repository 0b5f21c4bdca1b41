"""Memory: what is estimated from a model's files, against what a training really took."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tiny_student import TRAIN, make_base, make_encoder

from llm2llm.cli import memory
from llm2llm.cli.preset import render
from llm2llm.exceptions import StudentError
from llm2llm.params.train_iter import TrainIterParams
from llm2llm.student.memory import (
    GIB,
    Shape,
    advice,
    gib,
    knobs,
    prediction_need,
    read_shape,
    training_need,
)

# A model of seven billion weights, as Llama 2 has them.
SEVEN = Shape(
    n_parameters=6_738_415_616,
    n_linear=6_476_005_376,
    linear_edges=32 * (4 * 8192 + 3 * 15104),
    hidden=4096,
    intermediate=11008,
    layers=32,
    vocabulary=32000,
    kv_width=4096,
    context=4096,
)
# Mistral 7B: eight heads of keys and values for 32 of queries.
MISTRAL = Shape(
    n_parameters=7_241_732_096,
    n_linear=6_979_321_856,
    linear_edges=32 * (2 * 8192 + 2 * 5120 + 3 * 18432),
    hidden=4096,
    intermediate=14336,
    layers=32,
    vocabulary=32000,
    kv_width=1024,
    context=32768,
)
QLORA = TRAIN.model_copy(
    update={
        "method": "lora",
        "quantize": "nf4",
        "gradient_checkpointing": True,
        "batch_size": 16,
        "micro_batch_size": 4,
    }
)


def need(params, n_tokens: int = 1024, device: str = "cuda") -> float:
    """Estimate a training of the model of seven billion weights, in GiB."""
    return training_need(SEVEN, params, n_tokens, bf16=device == "cuda", device=device).total / GIB


def test_a_shape_is_read_without_torch(tmp_path: Path) -> None:
    """Weights, projections and widths of a model come from its files, and torch is not imported."""
    make_base(tmp_path)
    code = (
        "import sys; from pathlib import Path; from llm2llm.student.memory import read_shape\n"
        f"print(read_shape(Path({str(tmp_path / 'model')!r})))\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # Two layers of four projections of 32 by 32 and three of 32 by 64; embeddings, head, norms.
    linear = 2 * (4 * 32 * 32 + 3 * 32 * 64)
    edges = 2 * (4 * 64 + 3 * 96)
    total = linear + 2 * 259 * 32 + 5 * 32
    assert f"n_parameters={total}, n_linear={linear}, linear_edges={edges}" in done.stdout


def test_an_encoder_has_a_shape_too(tmp_path: Path) -> None:
    """BERT's embeddings of words and positions are no projections."""
    shape = read_shape(make_encoder(tmp_path) / "model")
    assert (shape.hidden, shape.layers, shape.context) == (32, 2, 64)
    assert shape.n_linear == 2 * (4 * 32 * 32 + 2 * 32 * 64) + 32 * 32


def test_an_unknown_or_damaged_configuration(tmp_path: Path) -> None:
    """A kind of model without the usual widths has no estimate; a damaged file is said."""
    assert read_shape(tmp_path) is None
    (tmp_path / "config.json").write_text("{}")
    assert read_shape(tmp_path) is None
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(StudentError, match="not JSON"):
        read_shape(tmp_path)


def test_the_preset_for_seven_billion_weights_fits_24_gb() -> None:
    """Training and prediction as the preset sets them fit; full training is far above."""
    preset = yaml.safe_load(render("qlora-7b"))
    params = TrainIterParams.model_validate(preset["train_iter"])
    predict = preset["predict"]
    training = training_need(MISTRAL, params, params.max_tokens, bf16=True, device="cuda")
    n_tokens = params.max_tokens + predict["max_new_tokens"]
    answering = prediction_need(MISTRAL, predict["batch_size"], n_tokens, bf16=True, device="cuda")
    assert 5 < training.total / GIB < 12
    assert 14 < answering.total / GIB < 20
    full = params.model_copy(update={"method": "full", "quantize": None})
    assert training_need(MISTRAL, full, 1024, bf16=True, device="cuda").total > 100 * GIB


def test_every_knob_takes_less() -> None:
    """Each knob, on top of those before, lowers the estimate."""
    params = TRAIN.model_copy(update={"batch_size": 16})
    needs = [need(params), *(need(changed) for _, changed in knobs(params, "cuda"))]
    assert len(needs) == 5
    assert needs == sorted(needs, reverse=True)
    assert len(set(needs)) == 5


def test_advice_names_what_fits() -> None:
    """It turns no more knobs than are needed, then shortens rows, then says that none helps."""
    params = TRAIN.model_copy(update={"batch_size": 16, "method": "lora"})

    def told(room: float) -> str:
        return advice(SEVEN, params, 3000, bf16=True, device="cuda", room=int(room * GIB))

    assert told(60).startswith("set `train_iter.micro_batch_size: 1` (about")
    assert "quantize" not in told(20)
    assert "quantize: nf4`" in told(7)
    assert "max_tokens: " in told(6)
    assert told(2) == "take a smaller base model, or a larger machine"


def test_longer_and_more_rows_take_more() -> None:
    """Estimates grow with length and batch, in training and in prediction."""
    assert need(QLORA, 2048) > need(QLORA, 1024)
    small, more, longer = (
        prediction_need(SEVEN, batch, n, bf16=True, device="cuda").total
        for batch, n in ((8, 512), (16, 512), (8, 1024))
    )
    assert small < min(more, longer)
    assert small / GIB == pytest.approx(12.6 + 2 + 1.25, rel=0.05)


def test_processes_share_out_the_rows_of_an_update() -> None:
    """Two processes take half of the activations each, unless micro-batches are smaller."""
    whole, half = (
        training_need(
            SEVEN,
            TRAIN.model_copy(update={"batch_size": 16, "processes": n}),
            512,
            bf16=True,
            device="cuda",
        )
        for n in (1, 2)
    )
    assert half.activations == whole.activations / 2
    assert half.total - half.activations == whole.total - whole.activations


def test_bytes_are_written_short() -> None:
    """Two digits are as exact as an estimate is."""
    assert [gib(n) for n in (GIB // 3, 3 * GIB // 2, 40 * GIB)] == ["0.33 GiB", "1.5 GiB", "40 GiB"]


def test_validate_says_what_helps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that does not fit is a problem that names a knob; one that fits is told."""
    root = Path(__file__).parent.parent
    make_base(tmp_path / "own")
    params = yaml.safe_load((root / "params.yaml").read_text())
    params["base_model"]["model"] = "own/model"
    params["task"] = str(root / params["task"])
    for name in ("train", "test", "dev"):
        params["subsample"][name] = str(root / params["subsample"][name])
    params["train_iter"]["device"] = "cpu"
    (tmp_path / "params.yaml").write_text(json.dumps(params))
    monkeypatch.chdir(tmp_path)
    (line,) = memory.memory_lines()
    assert line.startswith("memory: about ")
    assert list(memory.memory_problems()) == []
    monkeypatch.setattr(memory, "_room", lambda _device: ("a small machine", 800 << 20))
    training, *_ = memory.memory_problems()
    assert "on a small machine; " in training
